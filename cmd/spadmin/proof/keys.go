package proof

import (
	"errors"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/proofs"
)

type proofKeys struct {
	New      keysNew      `cmd:"" help:"Create a key, which signs from now on."`
	List     keysList     `cmd:"" help:"List the keys, newest first. --json prints the public key set."`
	Retire   keysRetire   `cmd:"" help:"Retire a key. Proofs that it signed become invalid."`
	Rollback keysRollback `cmd:"" help:"Sign with the previous key again, or restore a key."`
}

type keysNew struct {
	keyFolder
	JSON bool `help:"Print JSON."`
}

// Run creates a key.
func (c keysNew) Run(s *cli.Session) error {
	folder, err := c.folder()
	if err != nil {
		return err
	}
	id, err := folder.New()
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, map[string]string{"kid": id})
	}
	cli.Say(s.Stdout, "key %s signs from now on; older keys verify until they are retired", colour.Strong.Render(id))
	return nil
}

type keysList struct {
	keyFolder
	JSON bool `help:"Print the public key set, as /.well-known/jwks.json serves it."`
}

// Run lists the keys.
func (c keysList) Run(s *cli.Session) error {
	keys, err := c.load()
	if err != nil {
		return err
	}
	if c.JSON {
		return cli.SayJSON(s.Stdout, map[string]any{"keys": keys.List()})
	}
	rows, signs := [][]string{}, colour.Good.Render("signs")
	if c.KeyFolder == "" {
		for _, key := range keys.List() {
			rows = append(rows, []string{key.ID(), keyState(key.Signs(), &signs), keysInEnvironment})
		}
	}
	var files []proofs.KeyFile
	if c.KeyFolder != "" {
		if files, err = proofs.Folder(c.KeyFolder).List(); err != nil {
			return err
		}
	}
	for _, f := range files {
		state := colour.Quiet.Render("retired")
		if !f.Retired {
			state = keyState(!f.VerifyOnly, &signs)
		}
		rows = append(rows, []string{f.ID(), state, cli.Printable(f.Name)})
	}
	if len(rows) == 0 {
		cli.Say(s.Stdout, "no proof keys: create one with spadmin proof keys new")
		return nil
	}
	cli.SayTable(s.Stdout, []string{"THUMBPRINT", "STATE", "FILE"}, rows)
	return nil
}

// keyState returns "signs" for the first key that can sign, and "verifies" for all others.
func keyState(can bool, signs *string) string {
	state := "verifies"
	if can && *signs != "" {
		state, *signs = *signs, ""
	}
	return state
}

type keysRetire struct {
	Thumbprint string `arg:"" help:"The key."`
	keyFolder
}

// Run retires a key.
func (c keysRetire) Run(s *cli.Session) error {
	folder, err := c.folder()
	if err != nil {
		return err
	}
	if err := folder.Retire(c.Thumbprint); err != nil {
		return adviseKeys(err)
	}
	cli.Say(
		s.Stdout,
		"retired %s: its proofs become invalid within seconds, when every server has reloaded its keys",
		colour.Strong.Render(c.Thumbprint),
	)
	if _, err := c.signing(); errors.Is(err, proofs.ErrNoKey) {
		cli.Say(s.Stdout, "%s", colour.Waiting.Render("no key can sign: create one with spadmin proof keys new"))
	}
	return nil
}

type keysRollback struct {
	Thumbprint string `arg:"" optional:"" help:"The key to restore after it was retired or rolled back."`
	keyFolder
}

// Run undoes a step of a rotation.
func (c keysRollback) Run(s *cli.Session) error {
	folder, err := c.folder()
	if err != nil {
		return err
	}
	if c.Thumbprint != "" {
		if err := folder.Restore(c.Thumbprint); err != nil {
			return adviseKeys(err)
		}
		cli.Say(s.Stdout, "%s is restored", colour.Strong.Render(c.Thumbprint))
		return nil
	}
	from, to, err := folder.Rollback()
	if err != nil {
		return adviseKeys(err)
	}
	cli.Say(s.Stdout, "%s signs again; %s only verifies its own proofs", colour.Strong.Render(to), from)
	return nil
}

func adviseKeys(err error) error {
	if errors.Is(err, proofs.ErrNoSuchKey) {
		return cli.WithHint(err, "spadmin proof keys list prints the keys")
	}
	return err
}
