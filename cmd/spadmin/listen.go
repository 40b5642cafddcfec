package main

import (
	"context"
	"crypto/tls"
	"net"
	"os"
	"sync"
	"time"

	"github.com/sendpromptly/sendpromptly/cmd/spadmin/cli"
)

// listen opens the port, with TLS if a certificate is configured.
func (c serveCommand) listen(ctx context.Context) (net.Listener, error) {
	var certificate *certificate
	if c.TLSCert != "" {
		certificate = newCertificate(c.TLSCert, c.TLSKey)
		if _, err := certificate.get(nil); err != nil {
			return nil, cli.WithHint(err, "--tls-cert and --tls-key must name PEM files that this user can read")
		}
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, cli.WithHint(err, "choose another address with --listen, or stop the program that uses the port")
	}
	if certificate == nil {
		return listener, nil
	}
	return tls.NewListener(
		listener,
		&tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: certificate.get, NextProtos: []string{"h2", "http/1.1"}},
	), nil
}

// certificate is reloaded when its file changes, so that a renewal needs no restart.
type certificate struct {
	cert, key string
	mu        sync.Mutex
	loaded    *tls.Certificate
	changed   time.Time
}

func newCertificate(cert, key string) *certificate { return &certificate{cert: cert, key: key} }

// get returns the newest certificate. If the file is invalid, it returns the last good one.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	file, err := os.Stat(c.cert)
	if err == nil && c.loaded != nil && file.ModTime().Equal(c.changed) {
		return c.loaded, nil
	}
	loaded, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		if c.loaded != nil {
			return c.loaded, nil
		}
		return nil, err
	}
	c.loaded, c.changed = &loaded, time.Time{}
	if file != nil {
		c.changed = file.ModTime()
	}
	return c.loaded, nil
}
