package engine

import (
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/internal/secretbox"
)

// Config configures an engine. The zero value is ready to use.
type Config struct {
	// Project is the project that this engine works for. Default: "default", which every migrated
	// database has.
	Project string
	// SweepInterval is how often Run checks deadlines and callbacks: 10 milliseconds to 1 hour.
	// Default: 1 second. An incident opens at most two intervals after its deadline, except for a
	// receipt that committed late (see [Engine.Run]).
	SweepInterval time.Duration
	// AdoptUnknown records the receipt together with an outcome that has none: for jobs that were
	// queued before the app used the engine. By default such an outcome returns [ErrUnknownEffect].
	AdoptUnknown bool
	// AllowNetworks are the private networks that callbacks may reach, also over plain http.
	// Default: the comma-separated CIDRs in SENDPROMPTLY_ALLOW_NETWORKS; if that is empty, none.
	AllowNetworks []netip.Prefix
	// SecretKey decrypts the callback secrets and encrypts payload snapshots: 32 bytes in base64.
	// Default: SENDPROMPTLY_SECRET_KEY. Without a key, only unencrypted callback secrets can be
	// used and no snapshots are stored.
	SecretKey string
	// Logger receives what the engine logs. Default: slog.Default().
	Logger *slog.Logger
}

// sweepBatch is how many rows one transaction of a step takes. While an old snapshot is held,
// batches of 1,000 slow down far less than batches of 100.
const sweepBatch = 1000

// complete fills in the defaults.
func (c Config) complete() (Config, *secretbox.Box, error) {
	if c.Project == "" {
		c.Project = "default"
	}
	if err := validText("Config.Project", c.Project, 63); err != nil {
		return c, nil, err
	}
	if c.SweepInterval == 0 {
		c.SweepInterval = time.Second
	}
	if c.SweepInterval < 10*time.Millisecond || c.SweepInterval > time.Hour {
		return c, nil, &FieldError{"Config.SweepInterval", "must be between 10 milliseconds and 1 hour"}
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.AllowNetworks == nil {
		allow, err := guardedhttp.ParseAllow(os.Getenv("SENDPROMPTLY_ALLOW_NETWORKS"))
		if err != nil {
			return c, nil, &FieldError{"SENDPROMPTLY_ALLOW_NETWORKS", "is not a list of CIDRs: " + err.Error()}
		}
		c.AllowNetworks = allow
	}
	if c.SecretKey == "" {
		c.SecretKey = os.Getenv("SENDPROMPTLY_SECRET_KEY")
	}
	if c.SecretKey == "" {
		return c, nil, nil
	}
	box, err := secretbox.New(c.SecretKey)
	if err != nil {
		return c, nil, &FieldError{"Config.SecretKey", err.Error()}
	}
	return c, box, nil
}
