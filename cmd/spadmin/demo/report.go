package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
)

// Report is the result of the demo, as --json prints it.
type Report struct {
	// Effects is the number of owed effects.
	Effects int `json:"effects"`
	// Incidents are in the order in which they opened.
	Incidents []Incident `json:"incidents"`
	Verify    struct {
		OK bool `json:"ok"`
	} `json:"verify"`
	// ProofURL is the link to a proof of one incident. It works while the demo
	// runs. Valid says that the proof was verified with the public keys only.
	ProofURL string `json:"proof_url"`
	Proof    struct {
		Valid bool `json:"valid"`
	} `json:"proof"`
}

// Incident is an incident of the report.
type Incident struct {
	ID         engine.IncidentID `json:"id"`
	Provider   string            `json:"provider"`
	EventType  string            `json:"event_type"`
	EffectType string            `json:"effect_type"`
	Cause      engine.Cause      `json:"cause"`
	OpenedAt   time.Time         `json:"opened_at"`
	// ResolvedAt is null while it is open.
	ResolvedAt *time.Time `json:"resolved_at"`
	Timeline   []Entry    `json:"timeline"`
}

// Entry is an entry of a timeline; Seq is its number in the sealed chain.
type Entry struct {
	Seq  int         `json:"seq"`
	Kind engine.Kind `json:"kind"`
	At   time.Time   `json:"at"`
}

// report reads the incidents of all scenes with their timelines. It returns an
// error for each incident that is not as expected.
func (s *Stage) report(ctx context.Context, scenes []*scene) (Report, []error) {
	report := Report{Effects: len(s.sent), Incidents: []Incident{}}
	var wrong []error
	for _, sc := range scenes {
		if sc.incident.ID == "" {
			continue // its scene has reported it
		}
		incident, err := sc.sealedIncident(ctx)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("the incident of %q: %w", sc.title, err))
			continue
		}
		report.Incidents = append(report.Incidents, incident)
	}
	slices.SortFunc(report.Incidents, func(a, b Incident) int { return a.OpenedAt.Compare(b.OpenedAt) })
	return report, append(wrong, s.countIncidents(ctx, len(scenes)))
}

// countIncidents returns an error if incidents exist that belong to no scene.
func (s *Stage) countIncidents(ctx context.Context, want int) error {
	n := 0
	for _, effects := range s.Engines {
		page, err := effects.Incidents(ctx, engine.IncidentFilter{})
		if err != nil {
			return err
		}
		n += len(page.Incidents)
	}
	if n != want {
		return fmt.Errorf("there are %d incidents, want %d", n, want)
	}
	return nil
}

// sealedIncident seals the effect's timeline and reads it. The engine's own sealing
// waits for the oldest transaction on the server, which may not be the demo's.
func (sc *scene) sealedIncident(ctx context.Context) (Incident, error) {
	if _, _, err := sc.effects().SealEffect(ctx, sc.incident.EffectID); err != nil {
		return Incident{}, err
	}
	i, err := sc.effects().Incident(ctx, sc.incident.ID)
	if err != nil {
		return Incident{}, err
	}
	sc.incident = i
	entries, err := sc.timeline(ctx)
	if err != nil {
		return Incident{}, err
	}
	incident := Incident{
		ID:         i.ID,
		Provider:   i.Provider,
		EventType:  i.EventType,
		EffectType: i.Effect,
		Cause:      i.Cause,
		OpenedAt:   i.OpenedAt.UTC(),
	}
	if !i.ResolvedAt.IsZero() {
		at := i.ResolvedAt.UTC()
		incident.ResolvedAt = &at
	}
	for n, entry := range entries {
		if entry.Seq != n+1 {
			return incident, fmt.Errorf("entry %d of its timeline has the sealed number %d", n+1, entry.Seq)
		}
		incident.Timeline = append(incident.Timeline, Entry{Seq: entry.Seq, Kind: entry.Kind, At: entry.At.UTC()})
	}
	return incident, nil
}
