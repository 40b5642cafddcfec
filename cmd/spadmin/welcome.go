package main

import (
	"errors"
	"net"
	"slices"
	"strings"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/cmd/spadmin/colour"
	"github.com/sendpromptly/sendpromptly/internal/store/access"
	"github.com/sendpromptly/sendpromptly/internal/store/rooms"
)

// welcome prints the first login link of a deployment in which nobody can log
// in yet. Such a server listens on this machine only: whoever comes first would
// be the one to set it up.
func welcome(s *session, cfg adminserver.Config, at net.Addr) error {
	if cfg.OIDC.Issuer != "" || len(cfg.Only) > 0 && !slices.Contains(cfg.Only, adminserver.PartConsole) {
		return nil
	}
	st, err := rooms.Open(cfg.Pool, "")
	if err != nil {
		return err
	}
	configured, err := st.Access.Operators.Configured(s.ctx)
	if err != nil || configured {
		return err
	}
	if tcp, ok := at.(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return hint{
			errors.New("nobody can log in yet, so this server listens on loopback only"),
			"spadmin operator invite EMAIL --role admin lets the first one in",
		}
	}
	secret, err := st.Access.Operators.Invite(s.ctx, access.FirstAdmin, "admin", "spadmin serve")
	if err != nil {
		return err
	}
	say(s.stdout, "nobody can log in yet: this link lets you in as an admin, once, for 15 minutes")
	say(s.stdout, "%s", colour.Strong.Render(strings.TrimRight(cfg.BaseURL, "/")+"/login/"+secret))
	return nil
}
