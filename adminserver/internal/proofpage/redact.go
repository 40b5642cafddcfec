package proofpage

import (
	"net/mail"
	"net/url"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// This file is the allow-list: a customer sees what is copied here and nothing else. From a receipt: the
// provider, the event type, the effect type, the reference with its middle hidden, and times. From an entry:
// its kind as one of our sentences, its number and its time. From the project: its public name and support
// contact. Error texts, operators, notes, amounts, customers, object ids, URLs, answers and payloads are
// never copied.

// page is the template's data.
type page struct {
	Name               string
	Contact            contact
	State              state
	Done               moment
	Facts              []fact
	Entries            []line
	More               bool
	Proven             proven
	Expires            moment
	Bundle, JWKS       string
	StyleSheet, Script string
}

// contact is where the customer may ask; URL is empty if it is neither an address nor a page.
type contact struct{ Text, URL string }

// fact is a line of the summary; it has a text or a time.
type fact struct {
	Label, Text string
	At          moment
}

// line is an entry of the timeline.
type line struct {
	Number     int
	Tone, Text string
	At         moment
	// Head is the entry that the proof was issued for.
	Head bool
}

// proven says what the proof proves.
type proven struct {
	Seq   int
	At    moment
	Holds bool
	// Fingerprint is the head's hash, in groups.
	Fingerprint string
}

// moment is a time as text, and in the form that the script reads.
type moment struct{ UTC, ISO string }

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{t.UTC().Format("2 Jan 2006, 15:04 UTC"), t.UTC().Format(time.RFC3339)}
}

// redact copies what a customer may see.
func redact(p projects.Project, i engine.Incident, entries []engine.Entry, more bool, proof evidence.Proof, holds bool) page {
	v := page{
		Name: publicName(p), Contact: contactOf(p.SupportContact), State: stateOf(i), More: more, Expires: momentOf(proof.ExpiresAt),
		Proven: proven{Seq: proof.HeadSeq, At: momentOf(proof.IssuedAt), Holds: holds, Fingerprint: grouped(proof.HeadHash)},
	}
	if i.State == engine.StateApplied {
		v.Done = momentOf(appliedAt(i, entries))
	}
	v.Facts = facts(i)
	for _, e := range entries {
		tone, text := sentence(e.Kind, i)
		v.Entries = append(
			v.Entries,
			line{Number: e.Seq, Tone: tone, Text: text, At: momentOf(e.At), Head: e.Seq > 0 && e.Seq == proof.HeadSeq},
		)
	}
	return v
}

// facts are the summary.
func facts(i engine.Incident) []fact {
	list := []fact{{Label: "Provider", Text: providerName(i.Provider)}}
	if i.EventType != "" {
		list = append(list, fact{Label: "Event", Text: web.Sentence(eventName(i.EventType))})
	}
	list = append(list, fact{Label: "What was owed", Text: web.Sentence(strings.TrimPrefix(effectOf(i.Effect).noun, "your "))})
	if i.Subject != "" {
		list = append(list, fact{Label: "Reference", Text: mask(i.Subject)})
	}
	if !i.OccurredAt.IsZero() {
		list = append(list, fact{Label: "Happened", At: momentOf(i.OccurredAt)})
	}
	return append(list, fact{Label: "Received", At: momentOf(i.AcceptedAt)}, fact{Label: "Due by", At: momentOf(i.Deadline)})
}

// appliedAt is when the effect was applied.
func appliedAt(i engine.Incident, entries []engine.Entry) time.Time {
	for _, e := range entries {
		if e.Kind == "success" && e.State == engine.StateApplied {
			return e.At
		}
	}
	return i.ResolvedAt
}

// publicName is the page's title. The project's own name is internal: it is never shown.
func publicName(p projects.Project) string {
	if p.PublicName != "" {
		return p.PublicName
	}
	return "Your payment"
}

// contactOf makes a link of a mail address or an https page.
func contactOf(text string) contact {
	if a, err := mail.ParseAddress(text); err == nil && a.Name == "" && a.Address == text {
		return contact{text, (&url.URL{Scheme: "mailto", Opaque: text}).String()}
	}
	if u, err := url.Parse(text); err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil {
		return contact{strings.TrimPrefix(text, "https://"), u.String()}
	}
	return contact{Text: text}
}

// mask hides the middle of a reference, and its length.
func mask(reference string) string {
	r := []rune(reference)
	const dots = "•••••"
	switch {
	case len(r) < 6:
		return dots
	case len(r) < 10:
		return dots + string(r[len(r)-2:])
	}
	return string(r[:2]) + dots + string(r[len(r)-2:])
}

// grouped writes a hash in groups so that people can compare it.
func grouped(hash []byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for i, b := range hash {
		if i > 0 && i%4 == 0 {
			out.WriteByte(' ')
		}
		out.WriteByte(digits[b>>4])
		out.WriteByte(digits[b&15])
	}
	return out.String()
}
