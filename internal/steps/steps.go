// Package steps hands out the background steps of an engine to what calls one by
// itself: enginetest, the benchmark and spadmin sweep. They are no methods of
// engine.Engine, so that an app finds Run alone, which calls them all.
package steps

import "context"

// Steps are one engine's. Each does what is waiting, returns how much that was,
// and may be called by any number of engines at once.
type Steps struct {
	Sweep, Deliver, Seal, Index, Purge, Retain func(ctx context.Context) (int, error)
}

var of func(engine any) Steps

// Register is called by package engine, which this package cannot import.
func Register(ofEngine func(engine any) Steps) { of = ofEngine }

// Of returns the steps of an *engine.Engine.
func Of(engine any) Steps { return of(engine) }
