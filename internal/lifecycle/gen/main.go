// Command gen writes docs/lifecycle.md from the lifecycle table. go generate
// runs it in the folder of the table's package.
package main

import (
	"fmt"
	"os"

	"github.com/sendpromptly/sendpromptly/internal/lifecycle"
)

func main() {
	if err := os.WriteFile("../../docs/lifecycle.md", []byte(lifecycle.Markdown()), 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "gen:", err)
		os.Exit(1)
	}
}
