package console

import (
	"net/http"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/checks"
	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// overviewPage is the current state of a project.
type overviewPage struct {
	incidents.Overview
	Engines         []checks.EngineHealth
	Failed, Missing int
	// Shares are the open incidents by cause, as widths of a bar of 100.
	Shares []share
	Charts []chart
	// Elsewhere are the visitor's other projects with something open.
	Elsewhere []elsewhere
	// New says that the project has no effect at all.
	New bool
	// Here is the server's address, for the snippet to paste.
	Here string
	// RepairURL says that the project has one.
	RepairURL bool
}

// elsewhere is another project with open incidents.
type elsewhere struct {
	Name, Link string
	Open       int
	Capped     bool
}

// openElsewhere counts what is open in the visitor's other projects.
func (v *visit) openElsewhere() (found []elsewhere, err error) {
	for _, name := range v.projects[:min(len(v.projects), projectsAsked)] {
		if name == v.project {
			continue
		}
		e := elsewhere{Name: name, Link: v.link("/", "project", name)}
		if e.Open, e.Capped, err = v.Incidents.Count(
			v.ctx(),
			name,
			engine.IncidentFilter{Open: true},
			incidents.QuickCount,
		); err != nil {
			return nil, err
		}
		if e.Open > 0 {
			found = append(found, e)
		}
	}
	return found, nil
}

// share is a part of a bar.
type share struct {
	Class    string
	X, Width int
}

// Alive counts the running engines.
func (p overviewPage) Alive() int {
	alive := 0
	for _, e := range p.Engines {
		if e.Alive {
			alive++
		}
	}
	return alive
}

func (c *console) overview(v *visit) error {
	overview, err := v.Incidents.Statistics.Overview(v.ctx(), v.project)
	if err != nil {
		return err
	}
	project, err := v.Projects.Get(v.ctx(), v.project)
	if err != nil {
		return err
	}
	data := overviewPage{
		Overview: overview, Failed: overview.OpenByCause[engine.CauseFailed], Missing: overview.OpenByCause[engine.CauseMissing],
		Here: v.Base.String(), RepairURL: project.RepairURL != "",
	}
	if data.Elsewhere, err = v.openElsewhere(); err != nil {
		return err
	}
	data.Shares = shares(data.Failed, data.Missing)
	data.Charts = []chart{
		newChart("receipts", overview.Series, func(b incidents.Bucket) int { return b.Receipts }),
		newChart("failures", overview.Series, func(b incidents.Bucket) int { return b.Failures }),
		newChart("recoveries", overview.Series, func(b incidents.Bucket) int { return b.Recoveries }),
	}
	if overview.Owed == 0 && overview.Open == 0 && data.Charts[0].Total == 0 {
		any, err := v.Incidents.Effects.List(v.ctx(), incidents.EffectFilter{Project: v.project, Limit: 1})
		if err != nil {
			return err
		}
		data.New = len(any.Effects) == 0
	}
	return v.render(
		http.StatusOK,
		"overview",
		page{Title: "Overview", Nav: "Overview", Live: true, All: true, Every: 15, Data: data},
	)
}

// shares divides a bar of 100 between two causes.
func shares(failed, missing int) []share {
	if failed+missing == 0 {
		return nil
	}
	width := 100 * failed / (failed + missing)
	if failed > 0 {
		width = max(width, 1)
	}
	if missing > 0 {
		width = min(width, 99)
	}
	return []share{{"failed", 0, width}, {"missing", width, 100 - width}}
}
