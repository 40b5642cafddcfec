package main

import (
	"fmt"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
)

type auditCommand struct {
	Verify auditVerify `cmd:"" help:"Recompute every timeline's hash chain and compare it with the issued proofs."`
}

type auditVerify struct {
	JSON bool `help:"Print JSON."`
}

// Run checks all chains; a finding gives exit code 1.
func (c auditVerify) Run(s *cli.Session) error {
	st, _, done, err := s.Store()
	if err != nil {
		return err
	}
	defer done()
	report, err := st.Evidence.Chains.Verify(s.Context)
	if err != nil {
		return err
	}
	if c.JSON {
		err = cli.SayJSON(s.Stdout, report)
	} else {
		sayChains(s, report)
	}
	if err == nil && !report.OK {
		return cli.ErrFound
	}
	return err
}

func sayChains(s *cli.Session, report evidence.ChainReport) {
	checked := fmt.Sprintf("%d chains with %d entries, %d proofs", report.Chains, report.Entries, report.Proofs)
	if report.OK {
		cli.Say(s.Stdout, "%s %s: no entry and no proof was altered", colour.Good.Render("✓"), checked)
		return
	}
	cli.Say(s.Stdout, "%s %s: %d findings", colour.Bad.Render("✗"), checked, report.Found)
	for _, f := range report.Findings {
		cli.Say(s.Stdout, "  %s  %-9s %s: %s", cli.Printable(f.Project), f.Kind, f.EffectID, cli.Printable(f.Problem))
	}
	if more := report.Found - len(report.Findings); more > 0 {
		cli.Say(s.Stdout, "  and %d more", more)
	}
}
