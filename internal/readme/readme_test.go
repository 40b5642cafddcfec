package readme

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBlocksCarryTheirMark(t *testing.T) {
	blocks := Blocks("text\n\n<!-- code: a.go#b -->\n```go\nx\n\n\ty\n```\n\n```sh\nls\n```\n")
	want := []Block{{"go", "code: a.go#b", "x\n\n\ty\n", 5}, {"sh", "", "ls\n", 11}}
	if len(blocks) != 2 || blocks[0] != want[0] || blocks[1] != want[1] {
		t.Errorf("blocks = %+v", blocks)
	}
}

func TestSourceReadsRegionsAndFiles(t *testing.T) {
	root := t.TempDir()
	content := "package x\n\nfunc f() {\n\t// region inner\n\tif true {\n\n\t\tg()\n\t}\n\t// endregion\n}\n\n// region " +
		"outer\nfunc g() {}\n\n// endregion\n// region open\n"
	if err := os.WriteFile(filepath.Join(root, "x.go"), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	for mark, want := range map[string]string{
		"code: x.go#inner": "if true {\n\n\tg()\n}\n",
		"code: x.go#outer": "func g() {}\n",
		"code: x.go":       content,
	} {
		if have, err := Source(root, mark); err != nil || have != want {
			t.Errorf("%s = %q, %v, want %q", mark, have, err, want)
		}
	}
	for _, mark := range []string{"code: x.go#absent", "code: x.go#open", "code: y.go", "x.go", ""} {
		if _, err := Source(root, mark); err == nil {
			t.Errorf("%q gives no error", mark)
		}
	}
}

func TestDiffShowsOnlyWhatDiffers(t *testing.T) {
	if got, want := Diff("a\nb\nc\nd", "a\nx\ny\nd"), "from line 2 on:\n- b\n- c\n+ x\n+ y\n"; got != want {
		t.Errorf("Diff = %q, want %q", got, want)
	}
}
