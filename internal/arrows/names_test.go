package arrows

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shared are beginnings of names of test files that every folder may have: what its tests share, examples, and what a
// package shows to its tests alone.
var shared = []string{"helpers", "example", "export"}

// A test file's name begins with the file, or else the package, that it tests: who changes deliver.go finds its tests
// beside it. Folders that hold nothing but tests name them as they like.
func TestTestsAreFoundByName(t *testing.T) {
	t.Parallel()
	tests, tested := map[string][]string{}, map[string][]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && strings.HasPrefix(entry.Name(), "."), entry.IsDir() && entry.Name() == "testdata":
			return filepath.SkipDir
		}
		folder := filepath.Dir(path)
		if name, isTest := strings.CutSuffix(entry.Name(), "_test.go"); isTest {
			tests[folder] = append(tests[folder], name)
		} else if name, isGo := strings.CutSuffix(entry.Name(), ".go"); isGo {
			tested[folder] = append(tested[folder], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for folder, names := range tests {
		if len(tested[folder]) == 0 {
			continue
		}
		beginnings := slices.Concat(tested[folder], shared, []string{filepath.Base(folder)})
		for _, name := range names {
			if !slices.ContainsFunc(beginnings, func(b string) bool { return name == b || strings.HasPrefix(name, b+"_") }) {
				t.Errorf("%s/%s_test.go begins with the name of no file of its folder", folder, name)
			}
		}
	}
	if len(tests[filepath.Join(root, "engine")]) == 0 {
		t.Error("the engine's tests were not found")
	}
}
