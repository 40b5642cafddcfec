package login

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// What a session stores: the kind of its owner, the operator's email or the token's id, and the time of the
// login in microseconds by the database's clock.
const (
	kindOperator = "operator"
	kindToken    = "token"
)

// begin starts a session under a new id, even if the browser sent one, and redirects.
func (l *Login) begin(w http.ResponseWriter, r *http.Request, kind, who string, at time.Time, next string) {
	ctx, err := l.sessions.Load(r.Context(), l.cookie(r))
	if err == nil {
		err = l.sessions.RenewToken(ctx)
	}
	if err != nil {
		l.fail(w, r, err)
		return
	}
	l.sessions.Put(ctx, "kind", kind)
	l.sessions.Put(ctx, "who", who)
	l.sessions.Put(ctx, "at", strconv.FormatInt(at.UnixMicro(), 10))
	token, end, err := l.sessions.Commit(ctx)
	if err != nil {
		l.fail(w, r, err)
		return
	}
	l.sessions.WriteSessionCookie(ctx, w, token, end)
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, l.Base.Path(next), http.StatusSeeOther)
}

// logout ends the browser's session.
func (l *Login) logout(w http.ResponseWriter, r *http.Request) {
	ctx, err := l.sessions.Load(r.Context(), l.cookie(r))
	if err == nil {
		err = l.sessions.Destroy(ctx)
	}
	if err != nil {
		l.fail(w, r, err)
		return
	}
	l.sessions.WriteSessionCookie(ctx, w, "", time.Time{})
	w.Header().Set("Cache-Control", "no-store")
	http.Redirect(w, r, l.Base.Path("/login"), http.StatusSeeOther)
}

func (l *Login) cookie(r *http.Request) string {
	cookie, err := r.Cookie(l.sessions.Cookie.Name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// loggedInAt is zero, which is not recent, if the session does not contain it.
func (l *Login) loggedInAt(ctx context.Context) time.Time {
	micros, err := strconv.ParseInt(l.sessions.GetString(ctx, "at"), 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.UnixMicro(micros)
}

// codec writes sessions as JSON: they hold text only, and no types to be read back.
type codec struct{}

type sessionData struct {
	Deadline int64             `json:"deadline"`
	Values   map[string]string `json:"values"`
}

// Encode implements scs.Codec.
func (codec) Encode(deadline time.Time, values map[string]any) ([]byte, error) {
	data := sessionData{deadline.UnixMicro(), map[string]string{}}
	for key, value := range values {
		data.Values[key], _ = value.(string)
	}
	return json.Marshal(data)
}

// Decode implements scs.Codec.
func (codec) Decode(text []byte) (time.Time, map[string]any, error) {
	var data sessionData
	if err := json.Unmarshal(text, &data); err != nil {
		return time.Time{}, nil, err
	}
	values := map[string]any{}
	for key, value := range data.Values {
		values[key] = value
	}
	return time.UnixMicro(data.Deadline), values, nil
}
