// Command example is a shop with one payment path: a customer who pays an invoice
// gets 100 credits.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/sendpromptly/sendpromptly/engine"
	"github.com/sendpromptly/sendpromptly/engine/stripe"
)

const tables = `
	CREATE TABLE IF NOT EXISTS jobs (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event_id text, account text);
	CREATE TABLE IF NOT EXISTS credits (account text PRIMARY KEY, balance bigint NOT NULL);`

type shop struct {
	pool    *pgxpool.Pool
	effects *engine.Engine
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	worker := flag.Bool("worker", true, "run the worker")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := open(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	if *worker {
		go s.work(ctx)
	}
	go func() { log.Fatal(http.ListenAndServe("127.0.0.1:8080", s.routes())) }()
	return s.effects.Run(ctx) // sweeps for deadlines and delivers callbacks until Ctrl-C
}

func open(ctx context.Context, url string) (*shop, error) {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return nil, err
	}
	if err := engine.Migrate(ctx, pool); err != nil {
		return nil, err
	}
	if _, err := pool.Exec(ctx, tables); err != nil {
		return nil, err
	}
	effects, err := engine.New(ctx, pool, engine.Config{})
	return &shop{pool, effects}, err
}

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /webhooks/stripe", s.webhook)
	mux.Handle("POST /sendpromptly/repair", s.effects.RepairHandler(func(ctx context.Context, tx pgx.Tx, r engine.Repair) error {
		return addCredits(ctx, tx, r.Subject)
	}))
	return mux
}

// webhook accepts the job: the receipt and the job commit together or not at all.
func (s *shop) webhook(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	event, err := stripe.Receive(r, os.Getenv("STRIPE_WEBHOOK_SECRET"))
	if err != nil {
		http.Error(w, "refused", http.StatusBadRequest)
		return
	}
	if event.EventType != "invoice.paid" {
		return // nothing is owed for the others
	}
	event.Subject = event.Metadata["account_id"]
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		receipt, err := s.effects.Accept(ctx, tx, event.Acceptance)
		if err != nil || receipt.Duplicate {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO jobs (event_id, account) VALUES ($1, $2)`, event.EventID, event.Subject)
		return err
	})
	if err != nil {
		http.Error(w, "try again", http.StatusInternalServerError)
		return
	}
	w.WriteHeader(http.StatusOK)
}

// work does one job per second.
func (s *shop) work(ctx context.Context) {
	for ; ctx.Err() == nil; time.Sleep(time.Second) {
		if err := s.workOnce(ctx); err != nil && !errors.Is(err, pgx.ErrNoRows) {
			log.Print(err)
		}
	}
}

func (s *shop) workOnce(ctx context.Context) error {
	var id int64
	var event, account string
	const oldest = `SELECT id, event_id, account FROM jobs ORDER BY id LIMIT 1`
	if err := s.pool.QueryRow(ctx, oldest).Scan(&id, &event, &account); err != nil {
		return err
	}
	key := engine.Key{Provider: "stripe", EventID: event, Effect: "credit_grant"}
	grant := func(ctx context.Context, tx pgx.Tx) error { return addCredits(ctx, tx, account) }
	if err := s.effects.Apply(ctx, key, grant); err != nil {
		return err
	}
	_, err := s.pool.Exec(ctx, `DELETE FROM jobs WHERE id = $1`, id)
	return err
}

// addCredits is the effect: what the customer paid for.
func addCredits(ctx context.Context, tx pgx.Tx, account string) error {
	log.Printf("100 credits for %s", account)
	const add = `INSERT INTO credits VALUES ($1, 100) ON CONFLICT (account) DO UPDATE SET balance = credits.balance + 100`
	_, err := tx.Exec(ctx, add, account)
	return err
}
