package callback

import (
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write testdata/vectors.json anew")

// vector is one signed request. The file is read by the integration module too,
// which holds it against another implementation of Standard Webhooks.
type vector struct {
	Name     string            `json:"name"`
	Secrets  []string          `json:"secrets"`
	ReplayID string            `json:"replay_id"`
	Nonce    string            `json:"nonce"`
	At       int64             `json:"at"`
	Prefixed bool              `json:"prefixed"`
	Body     string            `json:"body"`
	Headers  map[string]string `json:"headers"`
}

var vectorsFile = filepath.Join("testdata", "vectors.json")

func readVectors(t *testing.T) []vector {
	t.Helper()
	file, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	var vectors []vector
	if err := json.Unmarshal(file, &vectors); err != nil {
		t.Fatal(err)
	}
	return vectors
}

func (v vector) sign(t *testing.T) map[string]string {
	t.Helper()
	header, err := Headers(v.Secrets, v.ReplayID, v.Nonce, time.Unix(v.At, 0), []byte(v.Body), v.Prefixed)
	if err != nil {
		t.Fatalf("%s: %v", v.Name, err)
	}
	headers := map[string]string{}
	for name := range header {
		headers[strings.ToLower(name)] = header.Get(name)
	}
	return headers
}

func TestVectors(t *testing.T) {
	vectors := readVectors(t)
	if *update {
		for i := range vectors {
			vectors[i].Headers = vectors[i].sign(t)
		}
		file, err := json.MarshalIndent(vectors, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(vectorsFile, append(file, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range vectors {
		if got := v.sign(t); !reflect.DeepEqual(got, v.Headers) {
			t.Errorf("%s: got %v, want %v", v.Name, got, v.Headers)
		}
		header := http.Header{}
		for name, value := range v.Headers {
			header.Set(name, value)
		}
		for _, secret := range v.Secrets {
			if got, err := Verify(header, []byte(v.Body), []string{secret}, time.Unix(v.At, 0)); err != nil ||
				got.Nonce != v.Nonce {
				t.Errorf("%s: %v, %v", v.Name, got, err)
			}
		}
	}
	if len(vectors) < 6 {
		t.Errorf("%d vectors", len(vectors))
	}
}
