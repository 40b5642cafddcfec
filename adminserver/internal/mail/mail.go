// Package mail sends what login links and alerts have to say by email.
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

// sendWithin bounds the whole of a delivery to the mail server.
const sendWithin = 15 * time.Second

// SMTP names the mail server. The zero value sends nothing.
type SMTP struct {
	// Address is host:port. Port 465 speaks TLS from the start, every other one
	// by STARTTLS.
	Address string
	// Username and Password log in, where both are set.
	Username, Password string
	// From is the sender's address.
	From string
	// Plain sends without TLS where the server offers none: for a server on this
	// machine only.
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

// Message is one mail in plain text. Key becomes its Message-ID where it is not
// empty, so that a second sending can be told from a second message.
type Message struct {
	To            []string
	Subject, Text string
	Key           string
}

// Send hands a message to the mail server, which has taken it when the error is nil.
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
