package engine

import (
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/guardedhttp"
	"github.com/sendpromptly/sendpromptly/internal/secretbox"
)

// Config is how an app runs the engine. The zero value is ready to use.
type Config struct {
	// Project is the name of the project that this engine signals for.
	// Default: "default", which every migrated database has.
	Project string
	// SweepInterval is how often Run looks for deadlines and callbacks.
	// Default: 1 second. An incident opens at most two intervals after its
	// deadline, but for a receipt that committed late (see [Engine.Run]).
	SweepInterval time.Duration
	// AdoptUnknown takes an outcome without a receipt as receipt and outcome in
	// one: for jobs that were queued before the app adopted the engine. Default:
	// such an outcome is refused with [ErrUnknownEffect].
	AdoptUnknown bool
	// AllowNetworks are the networks that callbacks may reach although they are
	// not public, over http too. Default: the CIDRs in SENDPROMPTLY_ALLOW_NETWORKS,
	// separated by commas; without it none.
	AllowNetworks []netip.Prefix
	// SecretKey opens the callback secrets and seals payload snapshots: 32 bytes
	// in base64. Default: SENDPROMPTLY_SECRET_KEY; without it secrets are read as
	// plain, and projects with snapshots on keep none.
	SecretKey string
	// Logger hears what the background steps meet. Default: slog.Default().
	Logger *slog.Logger
}

// sweepBatch is how many rows one transaction of a step takes. Batches of 1,000
// suffer far less from an old snapshot than batches of 100.
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
		return c, nil, &FieldError{"Config.SweepInterval", "must lie between 10 milliseconds and 1 hour"}
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
