package main

import (
	"errors"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/proofs"
)

type proofKeys struct {
	New      keysNew      `cmd:"" help:"Make a key, which signs from then on."`
	List     keysList     `cmd:"" help:"List the keys, newest first; --json prints the public key set."`
	Retire   keysRetire   `cmd:"" help:"Take a key out: proofs that it signed are dead."`
	Rollback keysRollback `cmd:"" help:"Let the key before the newest sign again, or take back what was last done to a key."`
}

type keysNew struct {
	keyFolder
	JSON bool `help:"Print JSON."`
}

// Run makes a key.
func (c keysNew) Run(s *session) error {
	folder, err := c.folder()
	if err != nil {
		return err
	}
	id, err := folder.New()
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, map[string]string{"kid": id})
	}
	say(s.stdout, "key %s signs from now on; older keys verify until they are retired", colour.Strong.Render(id))
	return nil
}

type keysList struct {
	keyFolder
	JSON bool `help:"Print the public key set, as /.well-known/jwks.json serves it."`
}

// Run lists the keys.
func (c keysList) Run(s *session) error {
	keys, err := c.load()
	if err != nil {
		return err
	}
	if c.JSON {
		return sayJSON(s.stdout, map[string]any{"keys": keys.List()})
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
		rows = append(rows, []string{f.ID(), state, printable(f.Name)})
	}
	if len(rows) == 0 {
		say(s.stdout, "no proof keys: spadmin proof keys new makes one")
		return nil
	}
	sayTable(s.stdout, []string{"THUMBPRINT", "STATE", "FILE"}, rows)
	return nil
}

// keyState says signs of the first that can, and verifies of the others.
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

// Run takes a key out.
func (c keysRetire) Run(s *session) error {
	folder, err := c.folder()
	if err != nil {
		return err
	}
	if err := folder.Retire(c.Thumbprint); err != nil {
		return adviseKeys(err)
	}
	say(
		s.stdout,
		"retired %s: proofs that it signed are dead once every server has reloaded, which takes seconds",
		colour.Strong.Render(c.Thumbprint),
	)
	if _, err := c.signing(); errors.Is(err, proofs.ErrNoKey) {
		say(s.stdout, "%s", colour.Waiting.Render("nothing signs now: spadmin proof keys new makes a key"))
	}
	return nil
}

type keysRollback struct {
	Thumbprint string `arg:"" optional:"" help:"Take back the retirement or the roll-back of this key."`
	keyFolder
}

// Run takes back a step of a rotation.
func (c keysRollback) Run(s *session) error {
	folder, err := c.folder()
	if err != nil {
		return err
	}
	if c.Thumbprint != "" {
		if err := folder.Restore(c.Thumbprint); err != nil {
			return adviseKeys(err)
		}
		say(s.stdout, "%s is back", colour.Strong.Render(c.Thumbprint))
		return nil
	}
	from, to, err := folder.Rollback()
	if err != nil {
		return adviseKeys(err)
	}
	say(s.stdout, "%s signs again; %s verifies what it has signed", colour.Strong.Render(to), from)
	return nil
}

func adviseKeys(err error) error {
	if errors.Is(err, proofs.ErrNoSuchKey) {
		return hint{err, "spadmin proof keys list shows them"}
	}
	return err
}
