package main

import (
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// welcome prints the first login link while no admin exists. Until then the server
// listens on this machine only, because the first visitor could take it over.
func welcome(s *cli.Session, cfg adminserver.Config, at net.Addr) error {
	if cfg.OIDC.Issuer != "" || len(cfg.Only) > 0 && !slices.Contains(cfg.Only, adminserver.PartConsole) {
		return nil
	}
	st, err := rooms.Open(cfg.Pool, "")
	if err != nil {
		return err
	}
	configured, err := st.Access.Operators.Configured(s.Context)
	if err != nil || configured {
		return err
	}
	if tcp, ok := at.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return cli.WithHint(
			errors.New("no admin exists yet, so this server listens on loopback only"),
			"invite the first admin with spadmin operator invite EMAIL --role admin",
		)
	}
	secret, err := st.Access.Operators.Invite(s.Context, access.FirstAdmin, "admin", "spadmin serve")
	if err != nil {
		return err
	}
	cli.Say(s.Stdout, "No admin exists yet. Use this one-time link within 15 minutes:")
	cli.Say(s.Stdout, "%s", colour.Strong.Render(strings.TrimRight(cfg.BaseURL, "/")+"/login/"+secret))
	return nil
}
