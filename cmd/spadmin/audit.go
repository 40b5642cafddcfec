package main

import (
	"fmt"

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
func (c auditVerify) Run(s *session) error {
	st, _, done, err := s.store()
	if err != nil {
		return err
	}
	defer done()
	report, err := st.Evidence.Chains.Verify(s.ctx)
	if err != nil {
		return err
	}
	if c.JSON {
		err = sayJSON(s.stdout, report)
	} else {
		sayChains(s, report)
	}
	if err == nil && !report.OK {
		return errFound
	}
	return err
}

func sayChains(s *session, report evidence.ChainReport) {
	checked := fmt.Sprintf("%d chains with %d entries, %d proofs", report.Chains, report.Entries, report.Proofs)
	if report.OK {
		say(s.stdout, "%s %s: no entry and no proof was altered", colour.Good.Render("✓"), checked)
		return
	}
	say(s.stdout, "%s %s: %d findings", colour.Bad.Render("✗"), checked, report.Found)
	for _, f := range report.Findings {
		say(s.stdout, "  %s  %-9s %s: %s", printable(f.Project), f.Kind, f.EffectID, printable(f.Problem))
	}
	if more := report.Found - len(report.Findings); more > 0 {
		say(s.stdout, "  and %d more", more)
	}
}
