package demo

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/proofs"
)

// publicName and supportContact are what the shop's customers see on a proof page.
var publicName, supportContact = "The Corner Shop", "help@corner-shop.example"

// openAdmin serves the console and proof links on loopback, and invites the
// story's operator. The proof keys are deleted at the end.
func (s *Stage) openAdmin(ctx context.Context, logger *slog.Logger) error {
	folder, err := os.MkdirTemp("", "sendpromptly-demo-keys-")
	if err != nil {
		return err
	}
	s.atClose(func(context.Context) error { return os.RemoveAll(folder) })
	if _, err := proofs.Folder(folder).New(); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.atClose(func(context.Context) error { _ = listener.Close(); return nil }) // the server has closed it already
	s.AdminURL = "http://" + listener.Addr().String()
	s.admin, err = adminserver.New(ctx, adminserver.Config{
		Pool:    s.Pool,
		BaseURL: s.AdminURL,
		Only: []adminserver.Part{
			adminserver.PartConsole,
			adminserver.PartProof,
		},
		ProofKeys:     folder,
		AllowNetworks: loopback,
		Logger:        logger,
	})
	if err != nil {
		return err
	}
	s.serveAdmin(listener)
	invite, err := s.store.Access.Operators.Invite(ctx, string(ada), adminserver.Admin.String(), "demo")
	if err != nil {
		return err
	}
	s.tell.console(s.loginURL(invite))
	return nil
}

// loginURL is the address of a one-time link.
func (s *Stage) loginURL(link string) string { return s.AdminURL + "/login/" + link }

func (s *Stage) serveAdmin(listener net.Listener) {
	server := &http.Server{Handler: s.admin, ReadHeaderTimeout: 5 * time.Second}
	running, stop := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() { _ = server.Serve(listener) }) // it ends by Shutdown
	ended.Go(func() { _ = s.admin.Run(running) })   // it returns nil
	s.atClose(func(ctx context.Context) error {
		stop()
		err := server.Shutdown(ctx)
		ended.Wait()
		if err != nil {
			return fmt.Errorf("cannot stop the admin server: %w", err)
		}
		return nil
	})
}
