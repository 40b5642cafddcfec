package readme_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
	"github.com/sendpromptly/sendpromptly/internal/readme"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

const callbackFormat = "docs/callback-format.md"

// The vector is computed here by the words of the document, with nothing of
// the engine's.
func TestTheCallbackVectorHolds(t *testing.T) {
	value := map[string]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| ([\\w-]+) \\| `(.+)` "+
		"\\|$").FindAllStringSubmatch(documents(t)[callbackFormat], -1) {
		value[m[1]] = m[2]
	}
	sign := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	ours := hex.EncodeToString(sign([]byte(value["secret"]), value["timestamp"]+"."+value["nonce"]+"."+value["body"]))
	if ours != value["X-SendPromptly-Signature"] {
		t.Errorf("X-SendPromptly-Signature is %s", ours)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(value["secret"], "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	standard := "v1," + base64.StdEncoding.EncodeToString(sign(key, value["webhook-id"]+"."+value["timestamp"]+"."+value["body"]))
	if standard != value["webhook-signature"] {
		t.Errorf("webhook-signature is %s", standard)
	}
}

func TestTheCallbackThatIsSentIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	sent := make(chan *http.Request, 1)
	bodies := make(chan []byte, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- body
		sent <- r
	}))
	defer server.Close()
	askForRepair(t, enginetest.New(t), server.URL)

	text := documents(t)[callbackFormat]
	var documented, members map[string]any
	blocks := readme.Blocks(text)
	example := slices.IndexFunc(blocks, func(b readme.Block) bool { return b.Language == "json" })
	if err := json.Unmarshal([]byte(blocks[example].Text), &documented); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(<-bodies, &members); err != nil {
		t.Fatal(err)
	}
	have, want := slices.Sorted(maps.Keys(members)), slices.Sorted(maps.Keys(documented))
	if !slices.Equal(have, want) {
		t.Errorf("the members are %v, the document has %v", have, want)
	}
	for name := range members {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("the member %s is not explained", name)
		}
	}
	for name := range (<-sent).Header {
		ours := strings.HasPrefix(name, "X-") || strings.HasPrefix(name, "Webhook-")
		if ours && !strings.Contains(strings.ToLower(text), "`"+strings.ToLower(name)+"`") {
			t.Errorf("the header %s is not documented", name)
		}
	}
}

// askForRepair loses an effect and reprocesses it at a URL.
func askForRepair(t *testing.T, db *enginetest.Database, url string) {
	t.Helper()
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	s, err := rooms.Open(db.Pool, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Projects.Set(t.Context(), "default", projects.Settings{RepairURL: &url}, loopback, "test"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Projects.RotateCallbackSecret(t.Context(), "default", 0, "test"); err != nil {
		t.Fatal(err)
	}
	e := db.Engine(engine.Config{AllowNetworks: loopback})
	k := engine.Key{Provider: "stripe", EventID: "in_1", Effect: "credit_grant"}
	err = pgx.BeginFunc(t.Context(), db.Pool, func(tx pgx.Tx) error {
		_, err := e.Accept(t.Context(), tx, engine.Acceptance{
			Key:         k,
			Merchant:    "acct_connected",
			SourceEvent: "evt_1",
			OccurredAt:  time.Now(),
			Amount:      engine.Money{Minor: 4900, Currency: "USD"},
			Customer:    "cus_1",
			Objects:     []string{"ch_1"},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	db.Travel(31 * time.Minute)
	if _, err := e.Reprocess(t.Context(), db.RequireIncident(k, engine.CauseMissing).ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if sent, err := enginetest.Deliver(t.Context(), e); sent != 1 || err != nil {
		t.Fatalf("Deliver = %d, %v", sent, err)
	}
}

// modules are what a go.mod asks for by itself: requirements that are not
// indirect, and the modules of its tools.
func modules(t *testing.T, path string) []string {
	t.Helper()
	content, err := os.ReadFile(root + "/" + path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, pattern := range []string{`(?m)^(?:require)?\s+(\S+\.\S+/\S+) v\S+$`, `(?m)^(?:tool)?\s+(\S+)/cmd/\S+$`} {
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(content), -1) {
			if !strings.Contains(m[1], "sendpromptly") {
				found = append(found, m[1])
			}
		}
	}
	return found
}

func TestEveryDependencyHasItsReason(t *testing.T) {
	const page = "docs/decisions/0002-dependencies.md"
	var listed, asked []string
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+`) \\|").FindAllStringSubmatch(documents(t)[page], -1) {
		for _, name := range strings.Split(row[1], ",") {
			listed = append(listed, strings.Trim(name, " `"))
		}
	}
	for _, file := range []string{"go.mod", "tools/go.mod", "integration/go.mod"} {
		for _, name := range modules(t, file) {
			asked = append(asked, name)
			if !slices.Contains(listed, name) {
				t.Errorf("%s: %s is not in %s", file, name, page)
			}
		}
	}
	for _, name := range listed {
		if !slices.Contains(asked, name) {
			t.Errorf("%s: no go.mod asks for %s", page, name)
		}
	}
}
