package shop

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// creditsPerDollar is the shop's price list.
const creditsPerDollar = 10

// apply does what the customer paid for. It does not prevent a second application:
// its callers rely on the engine for that.
func apply(ctx context.Context, tx pgx.Tx, t Task) error {
	if err := change(ctx, tx, t); err != nil {
		return err
	}
	_, err := tx.Exec(
		ctx,
		"INSERT INTO shop.history (account, event_id, event_type) VALUES ($1, $2, $3)",
		t.Account,
		t.EventID,
		t.EventType,
	)
	return err
}

// change writes the effect of each event type.
func change(ctx context.Context, tx pgx.Tx, t Task) error {
	switch t.EventType {
	case "invoice.paid":
		return addCredits(ctx, tx, t, t.Cents*creditsPerDollar/100)
	case "charge.refunded":
		return addCredits(ctx, tx, t, -t.Cents*creditsPerDollar/100)
	case "checkout.session.completed":
		return setAccess(ctx, tx, t, true)
	case "charge.dispute.created", "customer.subscription.deleted":
		return setAccess(ctx, tx, t, false)
	case "customer.subscription.updated":
		return update(ctx, tx, t, "UPDATE shop.accounts SET team = true WHERE id = $1", t.Account)
	case "customers/create":
		return CreateAccount(ctx, tx, t.Account, Account{})
	case "checkouts/create":
		return saveOrder(ctx, tx, t, "open")
	case "orders/paid":
		return saveOrder(ctx, tx, t, "paid")
	case "orders/fulfilled":
		if err := saveOrder(ctx, tx, t, "fulfilled"); err != nil {
			return err
		}
		return setAccess(ctx, tx, t, true)
	}
	return fmt.Errorf("the shop has no effect for %s", t.EventType)
}

func addCredits(ctx context.Context, tx pgx.Tx, t Task, credits int64) error {
	return update(ctx, tx, t, "UPDATE shop.accounts SET credits = credits + $2 WHERE id = $1", t.Account, credits)
}

func setAccess(ctx context.Context, tx pgx.Tx, t Task, access bool) error {
	return update(ctx, tx, t, "UPDATE shop.accounts SET access = $2 WHERE id = $1", t.Account, access)
}

func saveOrder(ctx context.Context, tx pgx.Tx, t Task, state string) error {
	_, err := tx.Exec(ctx, `INSERT INTO shop.orders (id, account, cents, state) VALUES ($1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET state = excluded.state`, t.Object, t.Account, t.Cents, state)
	return err
}

// update changes the one row of an account, which must exist.
func update(ctx context.Context, tx pgx.Tx, t Task, statement string, args ...any) error {
	tag, err := tx.Exec(ctx, statement, args...)
	if err == nil && tag.RowsAffected() == 0 {
		err = fmt.Errorf("account %s does not exist", t.Account)
	}
	return err
}
