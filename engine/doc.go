// Package engine records, inside an app's own Postgres transactions, that an
// effect is owed because of a provider's event, and whether it happened. It
// opens an incident when it did not, asks the app to repair it through a signed
// callback, and keeps the whole story on an append-only, hash-chained timeline.
//
// Most apps need six calls. [Migrate] and [New] come first. Where a verified
// webhook is taken on, [Engine.Accept] records the receipt in the transaction
// that enqueues the job. The worker runs the effect in [Engine.Apply], which
// applies it once and records how it went. [Engine.RepairHandler] or
// [Engine.EnqueueHandler] is the app's repair endpoint. [Engine.Run] does the
// background work. docs/quickstart.md puts them into an existing handler.
//
// What the engine promises: a receipt exists exactly if the caller's transaction
// committed; no incident opens for an effect whose success was committed; what
// was acknowledged is never lost; and no input aborts the caller's transaction
// or panics. docs/lifecycle.md has every state and signal.
package engine
