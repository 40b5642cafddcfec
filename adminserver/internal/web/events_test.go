package web_test

import (
	"context"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
)

func TestEventsAreWrittenAsReadersExpectThem(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, leave := context.WithCancel(t.Context())
		events, answer := make(chan web.Event), httptest.NewRecorder()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			web.SendEvents(ctx, answer, web.Event{ID: "1-1"}, events)
		}()
		events <- web.Event{ID: "1-2", Name: "incident", Data: []byte(`{"id":"a"}`)}
		events <- web.Event{Name: "change", Data: []byte(`{}`)}
		time.Sleep(16 * time.Second) // the bubble's clock: one pulse
		leave()
		<-ended
		const want = "retry: 2000\nid: 1-1\n\nid: 1-2\nevent: incident\ndata: {\"id\":\"a\"}\n\nevent: change\ndata: " +
			"{}\n\n: still here\n\n"
		if got := answer.Body.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if kind := answer.Header().Get("Content-Type"); kind != "text/event-stream" || !answer.Flushed {
			t.Errorf("%q, flushed %v", kind, answer.Flushed)
		}
	})
}

func TestAStreamEndsAfterFiveMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		web.SendEvents(t.Context(), httptest.NewRecorder(), web.Event{}, nil)
		if took := time.Since(began); took != 5*time.Minute {
			t.Errorf("it went on for %v", took)
		}
	})
}
