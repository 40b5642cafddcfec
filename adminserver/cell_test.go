package adminserver_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/sendpromptly/sendpromptly/adminserver"
	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/enginetest"
)

func TestAServerStandsOnOneCell(t *testing.T) {
	t.Parallel()
	pool := enginetest.New(t).Pool
	one := adminserver.Cell{Name: "one", Pool: pool}
	for _, schema := range []string{"", "sendpromptly"} {
		one.Schema = schema
		if _, err := adminserver.New(t.Context(), adminserver.Config{
			Cells:   []adminserver.Cell{one},
			BaseURL: "http://127.0.0.1",
		}); err != nil {
			t.Errorf("a cell with schema %q is refused: %v", schema, err)
		}
	}
	for name, refused := range map[string]struct {
		cfg         adminserver.Config
		field, says string
	}{
		"two cells": {adminserver.Config{Cells: []adminserver.Cell{one, one}}, "Config.Cells", "not supported"},
		"another schema": {
			adminserver.Config{Cells: []adminserver.Cell{{Pool: pool, Schema: "billing"}}},
			"Config.Cells[0].Schema", "not supported",
		},
		"pool and cells":    {adminserver.Config{Pool: pool, Cells: []adminserver.Cell{one}}, "Config.Pool", "cannot both be set"},
		"neither":           {adminserver.Config{}, "Config.Pool", "is nil"},
		"a cell of nothing": {adminserver.Config{Cells: []adminserver.Cell{{Name: "one"}}}, "Config.Cells[0].Pool", "is nil"},
	} {
		t.Run(name, func(t *testing.T) {
			refused.cfg.BaseURL = "http://127.0.0.1"
			_, err := adminserver.New(t.Context(), refused.cfg)
			var field *engine.FieldError
			if !errors.As(err, &field) || field.Field != refused.field || !strings.Contains(field.Reason, refused.says) {
				t.Errorf("err = %v, want %s %s", err, refused.field, refused.says)
			}
		})
	}
}

// What cannot be read from the environment is named as there.
func TestTheEnvironmentNamesNetworksWhereTheConfigurationDoesNot(t *testing.T) {
	t.Setenv("SENDPROMPTLY_ALLOW_NETWORKS", "everything")
	cfg := adminserver.Config{Pool: enginetest.New(t).Pool, BaseURL: "http://127.0.0.1"}
	_, err := adminserver.New(t.Context(), cfg)
	var field *engine.FieldError
	if !errors.As(err, &field) || field.Field != "SENDPROMPTLY_ALLOW_NETWORKS" {
		t.Errorf("err = %v", err)
	}
	cfg.AllowNetworks = loopback
	if _, err := adminserver.New(t.Context(), cfg); err != nil {
		t.Errorf("a configuration of its own is not enough: %v", err)
	}
}
