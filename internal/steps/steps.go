// Package steps gives enginetest, the benchmark and spadmin sweep the background steps of an
// engine, to call them one by one. The steps are not methods of engine.Engine: an app should use
// only Run, which calls them all.
package steps

import "context"

// Steps are the steps of one engine. Each does the waiting work and returns how much it did. Any
// number of engines may call it at once.
type Steps struct {
	Sweep, Deliver, Seal, Index, Purge, Retain func(ctx context.Context) (int, error)
}

var of func(engine any) Steps

// Register is called by package engine, which this package cannot import.
func Register(ofEngine func(engine any) Steps) { of = ofEngine }

// Of returns the steps of an *engine.Engine.
func Of(engine any) Steps { return of(engine) }
