// Package proofpage is the page that a proof link opens: read-only, without a login, for customers and anyone
// they show it to. It shows the current timeline, and says whether the proven part is unchanged. redact.go
// lists what it shows.
package proofpage

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/internal/store/evidence"
	"github.com/sendpromptly/sendpromptly/proofs"
)

//go:embed page.html gone.html
var files embed.FS

var templates = template.Must(template.ParseFS(files, "*.html"))

// policy lets the page load its own files, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action " +
	"'none'; " +
	"frame-ancestors 'none'; base-uri 'none'"

// proofPage answers for one server.
type proofPage struct {
	web.Deps
	limits *limits
	// again limits how often a token may cause the keys to be read.
	again *rate.Limiter
}

// Routes are the page, the bundle for offline checks, the page's files and the public keys.
func Routes(d web.Deps) []web.Route {
	p := &proofPage{Deps: d, limits: newLimits(), again: rate.NewLimiter(1, 1)}
	return []web.Route{
		{Pattern: "GET /p/{token}", Handler: p.limits.bounded(p.show)},
		{Pattern: "GET /p/{token...}", Handler: http.HandlerFunc(p.gone)},
		{Pattern: "GET /p/{token}/{part}", Handler: p.limits.bounded(p.bundle)},
		{Pattern: "GET " + assetsPath + "{file}", Handler: http.HandlerFunc(p.asset)},
		{Pattern: "GET /.well-known/jwks.json", Kind: web.API, Handler: http.HandlerFunc(p.jwks)},
	}
}

// Steps reload the keys, so that a new key signs and a retired one fails.
func Steps(d web.Deps) []web.Step {
	if d.Proofs == nil {
		return nil
	}
	return []web.Step{{Name: "proof keys", Every: 5 * time.Second, Do: func(context.Context) error { return d.Proofs.Reload() }}}
}

func setHeaders(h http.Header) {
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Robots-Tag", "noindex, nofollow, noarchive")
}

// show answers with the page. A GET counts a view and changes nothing else. A HEAD and a preview change
// nothing.
func (p *proofPage) show(w http.ResponseWriter, r *http.Request) {
	proof, err := p.resolve(r.Context(), r.PathValue("token"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	v, err := p.page(r.Context(), proof, r.PathValue("token"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if r.Method == http.MethodGet && !isPreview(r) {
		if err := p.Evidence.Proofs.CountView(r.Context(), proof.JTI); err != nil {
			p.Logger.WarnContext(
				r.Context(),
				"sendpromptly: a view of a proof was not counted",
				"request_id",
				web.RequestID(r.Context()),
				"error",
				err,
			)
		}
	}
	p.write(w, r, http.StatusOK, "page.html", v)
}

// page reads what the customer sees.
func (p *proofPage) page(ctx context.Context, proof evidence.Proof, token string) (page, error) {
	effects, err := p.Engines.For(ctx, proof.Project)
	if err != nil {
		return page{}, err
	}
	project, err := p.Projects.Get(ctx, proof.Project)
	if err != nil {
		return page{}, err
	}
	incident, err := effects.Incident(ctx, proof.Incident)
	if err != nil {
		return page{}, err
	}
	entries, more, err := timeline(ctx, effects, incident.EffectID)
	if err != nil {
		return page{}, err
	}
	holds, err := p.Evidence.Chains.StillProven(ctx, proof)
	if err != nil {
		return page{}, err
	}
	v := redact(project, incident, entries, more, proof, holds)
	v.Bundle, v.JWKS = p.Base.Path("/p/"+token+"/"+bundleName), p.Base.Path("/.well-known/jwks.json")
	v.StyleSheet, v.Script = p.Base.Path(assetsPath+assets[0].name), p.Base.Path(assetsPath+assets[1].name)
	return v, nil
}

// timelinePages limits the page to 1,000 entries.
const timelinePages = 5

func timeline(ctx context.Context, effects *engine.Engine, id engine.EffectID) (entries []engine.Entry, more bool, err error) {
	from := int64(0)
	for range timelinePages {
		list, err := effects.Timeline(ctx, id, from)
		if err != nil {
			return nil, false, err
		}
		entries = append(entries, list.Entries...)
		if from = list.Next; from == 0 {
			return inChain(entries), false, nil
		}
	}
	return inChain(entries), true, nil
}

// inChain sorts entries in the order in which they were sealed; unsealed entries come last.
func inChain(entries []engine.Entry) []engine.Entry {
	slices.SortStableFunc(entries, func(a, b engine.Entry) int {
		return cmp.Compare(uint(a.Seq)-1, uint(b.Seq)-1) //nolint:gosec // 0 wraps around to the end
	})
	return entries
}

// jwks answers with the public keys.
func (p *proofPage) jwks(w http.ResponseWriter, _ *http.Request) {
	keys := []byte(`{"keys":[]}`)
	if p.Proofs != nil {
		keys = p.Proofs.JWKS()
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	w.Header().Set("Cache-Control", "public, max-age=60")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	_, _ = w.Write(keys) // the reader may be gone
}

const bundleName = "proof.json"

// bundle answers with the token, its key and the proven entries in one file, which anyone can check offline.
// It reveals no hidden values except times.
func (p *proofPage) bundle(w http.ResponseWriter, r *http.Request) {
	proof, err := p.resolve(r.Context(), r.PathValue("token"))
	if err == nil && r.PathValue("part") != bundleName {
		err = errDead
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	exported, err := p.Evidence.Chains.Export(r.Context(), proof.Incident, proof.HeadSeq)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	setHeaders(w.Header())
	text, err := p.Proofs.Bundle(r.PathValue("token"), bundled(exported))
	if err != nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(http.StatusConflict)
		_, _ = w.Write([]byte("The timeline has changed since it was proven.\n"))
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", `attachment; filename="proof.json"`)
	_, _ = w.Write(text)
}

// bundled writes exported entries in the form of a bundle.
func bundled(exported []evidence.ExportedEntry) []proofs.Entry {
	entries := make([]proofs.Entry, len(exported))
	for i, e := range exported {
		entries[i] = proofs.Entry{
			Seq: e.Seq, Kind: e.Kind, At: e.At, State: string(e.State), Cause: string(e.Cause), Provider: e.Provider,
			EventType: e.EventType, Effect: e.Effect, EffectID: string(e.EffectID), Hash: fixed(e.Hash),
		}
		for _, f := range e.Hidden {
			field := proofs.Field{Name: f.Name, Commitment: fixed(f.Commitment)}
			if f.Salt != nil {
				field.Disclosed, field.Salt, field.Value = true, fixed(f.Salt), f.Value
			}
			entries[i].Fields = append(entries[i].Fields, field)
		}
	}
	return entries
}

// fixed is a hash as an array, or zero if the database contains anything else.
func fixed(hash []byte) (out [32]byte) {
	if len(hash) == len(out) {
		copy(out[:], hash)
	}
	return out
}

// fail answers with the one page for every dead link, or asks to try again.
func (p *proofPage) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errDead) || errors.Is(err, engine.ErrNotFound) {
		p.gone(w, r)
		return
	}
	p.Logger.ErrorContext(r.Context(), "sendpromptly: a proof page could not be rendered",
		"request_id", web.RequestID(r.Context()), "error", err)
	busy(w, http.StatusServiceUnavailable)
}

// gone is the same page, byte for byte, for every token that opens nothing.
func (p *proofPage) gone(w http.ResponseWriter, r *http.Request) {
	p.write(w, r, http.StatusNotFound, "gone.html", struct{ StyleSheet string }{p.Base.Path(assetsPath + assets[0].name)})
}

func (p *proofPage) write(w http.ResponseWriter, r *http.Request, status int, name string, v any) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, v); err != nil {
		p.Logger.ErrorContext(r.Context(), "sendpromptly: a proof page could not be written",
			"request_id", web.RequestID(r.Context()), "error", err)
		busy(w, http.StatusInternalServerError)
		return
	}
	setHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", fmt.Sprint(out.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(out.Bytes()) // the reader may be gone
}

// isPreview says whether a program opens the link before a person does. For historical reasons every browser
// calls itself Mozilla; most programs do not.
func isPreview(r *http.Request) bool {
	for _, name := range []string{"Purpose", "Sec-Purpose", "X-Purpose", "X-Moz"} {
		if value := strings.ToLower(
			r.Header.Get(name),
		); strings.Contains(value, "prefetch") || strings.Contains(value, "preview") ||
			strings.Contains(value, "prerender") {
			return true
		}
	}
	agent := strings.ToLower(r.UserAgent())
	for _, word := range []string{
		"bot", "preview", "crawl", "spider", "scan", "embedly", "iframely", "vkshare", "snippet", "headless",
	} {
		if strings.Contains(agent, word) {
			return true
		}
	}
	return !strings.HasPrefix(agent, "mozilla/") && !strings.HasPrefix(agent, "opera/")
}
