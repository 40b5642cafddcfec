package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/sendpromptly/sendpromptly/engine"
)

// Report is what the demo saw, as --json prints it.
type Report struct {
	// Effects counts what was owed.
	Effects int `json:"effects"`
	// Incidents are in the order in which they opened.
	Incidents []Incident `json:"incidents"`
	Verify    struct {
		OK bool `json:"ok"`
	} `json:"verify"`
	// ProofURL is the link to a proof of one incident. It opens while the demo
	// stays up. Valid says that it was verified with the public keys alone.
	ProofURL string `json:"proof_url"`
	Proof    struct {
		Valid bool `json:"valid"`
	} `json:"proof"`
}

// Incident is one of the report.
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

// Entry is one line of a timeline; Seq is its place in the sealed chain.
type Entry struct {
	Seq  int         `json:"seq"`
	Kind engine.Kind `json:"kind"`
	At   time.Time   `json:"at"`
}

// report reads the incidents of both projects with their timelines, and says
// which of the scenes' incidents are not as they should be.
func (s *Stage) report(ctx context.Context, scenes []*scene) (Report, []error) {
	report := Report{Effects: len(s.sent), Incidents: []Incident{}}
	var wrong []error
	for _, sc := range scenes {
		if sc.incident.ID == "" {
			continue // its scene has said so
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

// countIncidents refuses incidents that no scene is about.
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

// sealedIncident seals the effect's timeline and reads it. An engine seals by
// itself as well, behind the oldest transaction of the whole server; nothing
// here should wait for other people's.
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
			return incident, fmt.Errorf("entry %d of its timeline is sealed as %d", n+1, entry.Seq)
		}
		incident.Timeline = append(incident.Timeline, Entry{Seq: entry.Seq, Kind: entry.Kind, At: entry.At.UTC()})
	}
	return incident, nil
}
