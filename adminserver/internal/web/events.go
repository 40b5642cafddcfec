package web

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const (
	// streamFor limits a stream, so that a reader who lost their access gets no more events. Browsers
	// reconnect by themselves.
	streamFor = 5 * time.Minute
	// pulse prevents proxies from closing a quiet stream.
	pulse = 15 * time.Second
	// writeFor limits the write of one event.
	writeFor = 10 * time.Second
	// reconnectAfter is how long a reader waits before it connects again.
	reconnectAfter = 2 * time.Second
)

// Event is one server-sent event. Empty fields are left out.
type Event struct {
	// ID is what a reader sends as Last-Event-ID when it connects again.
	ID string
	// Name is the event's type.
	Name string
	// Data is one line of text, such as JSON.
	Data []byte
}

// text is the event as it is sent, with the blank line that ends it.
func (e Event) text() (text string) {
	if e.ID != "" {
		text += "id: " + e.ID + "\n"
	}
	if e.Name != "" {
		text += "event: " + e.Name + "\n"
	}
	if e.Data != nil {
		text += "data: " + string(e.Data) + "\n"
	}
	return text + "\n"
}

// SendEvents answers with a stream of server-sent events: begin first, then the following ones, until the
// reader leaves, ctx ends or 5 minutes have passed.
func SendEvents(ctx context.Context, w http.ResponseWriter, begin Event, events <-chan Event) {
	ctx, cancel := context.WithTimeout(ctx, streamFor)
	defer cancel()
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(writeFor)) // not every server has deadlines
		_, err := fmt.Fprint(w, text)
		return err == nil && control.Flush() == nil
	}
	beat := time.NewTicker(pulse)
	defer beat.Stop()
	for ok := send(fmt.Sprintf("retry: %d\n%s", reconnectAfter.Milliseconds(), begin.text())); ok; {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			ok = send(": still here\n\n")
		case event := <-events:
			ok = send(event.text())
		}
	}
}
