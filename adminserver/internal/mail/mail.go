// Package mail sends login links and alerts by email.
package mail

import (
	"context"
	"errors"
	"net"
	"strconv"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/sendpromptly/sendpromptly/engine"
)

// sendWithin limits the whole delivery to the mail server.
const sendWithin = 15 * time.Second

// SMTP configures the mail server. The zero value sends nothing.
type SMTP struct {
	// Address is host:port. Port 465 uses TLS from the start, every other port STARTTLS.
	Address string
	// Username and Password are used to log in if both are set.
	Username, Password string
	// From is the sender's address.
	From string
	// Plain sends without TLS if the server does not offer it. Use it only for a server on the same machine.
	Plain bool
}

// Enabled says whether there is a mail server.
func (s SMTP) Enabled() bool { return s.Address != "" }

// Validate refuses settings that cannot work.
func (s SMTP) Validate() error {
	if !s.Enabled() {
		return nil
	}
	if _, _, err := s.server(); err != nil {
		return err
	}
	if err := gomail.NewMsg().From(s.From); err != nil {
		return &engine.FieldError{Field: "SMTP.From", Reason: "is not an address"}
	}
	return nil
}

func (s SMTP) server() (host string, port int, err error) {
	host, text, err := net.SplitHostPort(s.Address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	if err != nil || host == "" {
		return "", 0, &engine.FieldError{Field: "SMTP.Address", Reason: "must be host:port"}
	}
	return host, port, nil
}

// Message is one mail in plain text. Key, if it is not empty, becomes its Message-ID, so that a repeated
// delivery can be recognized.
type Message struct {
	To            []string
	Subject, Text string
	Key           string
}

// Send sends a message to the mail server. A nil error means that the server accepted it.
func (s SMTP) Send(ctx context.Context, m Message) error {
	host, port, err := s.server()
	if err != nil {
		return err
	}
	msg := gomail.NewMsg()
	if err := errors.Join(msg.From(s.From), msg.To(m.To...)); err != nil {
		return err
	}
	msg.Subject(m.Subject)
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	msg.SetDate()
	if m.Key != "" {
		msg.SetMessageIDWithValue(m.Key + "@sendpromptly")
	}
	options := []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(sendWithin)}
	switch {
	case port == 465:
		options = append(options, gomail.WithSSL())
	case s.Plain:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if s.Username != "" {
		options = append(
			options,
			gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover),
			gomail.WithUsername(s.Username),
			gomail.WithPassword(s.Password),
		)
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	return client.DialAndSendWithContext(ctx, msg)
}
