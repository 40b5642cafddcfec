package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// settings is the table of what serve can be told, a line a flag.
func settings(t *testing.T) []string {
	t.Helper()
	parser, err := kong.New(&commands{})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	add := func(flags []*kong.Flag) {
		for _, f := range flags {
			if f.Name == "help" {
				continue
			}
			lines = append(lines, fmt.Sprintf("| `--%s` | `%s` | %s |", f.Name, strings.Join(f.Envs, " "), whatItIs(f)))
		}
	}
	add(parser.Model.Flags)
	for _, command := range parser.Model.Children {
		if command.Name == "serve" {
			add(command.Flags)
		}
	}
	return lines
}

func whatItIs(f *kong.Flag) string {
	help := strings.ReplaceAll(f.Help, "|", `\|`)
	if f.HasDefault && !f.IsBool() {
		help += " Default: `" + f.Default + "`."
	}
	return help
}

func TestTheDocumentedSettingsAreTheFlags(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	table := strings.Join(settings(t), "\n")
	if !strings.Contains(string(text), table) {
		t.Errorf("docs/operations.md lacks this table:\n%s", table)
	}
}
