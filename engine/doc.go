// Package engine records, inside an app's own Postgres transactions, that a provider's event owes
// an effect, and whether that effect happened. If it did not, the engine opens an incident and,
// when an operator asks for it, sends the app a signed callback to repair it. An append-only,
// hash-chained timeline keeps the history.
//
// Most apps need six calls. [Migrate] and [New] come first. The webhook handler calls
// [Engine.Accept] in the transaction that enqueues the job. The worker runs the effect in
// [Engine.Apply], which applies it once and records the outcome. [Engine.RepairHandler] or
// [Engine.EnqueueHandler] serves the app's repair endpoint. [Engine.Run] does the background work.
// docs/quickstart.md adds them to an existing handler.
//
// The engine promises that a receipt exists exactly if the caller's transaction committed, that no
// incident opens for an effect whose success was committed, that nothing acknowledged is ever lost,
// and that no input panics or aborts the caller's transaction. docs/lifecycle.md lists every state
// and signal.
package engine
