package pg

import (
	"context"
	"net"
	"sync/atomic"
	"time"
)

// wire counts the round trips of the connections that it dials, and delays each of them on request. The delay simulates
// the network between an app and its database; it is on the client's side, where waiting costs no CPU.
type wire struct {
	trips atomic.Int64
	delay atomic.Int64
}

func (w *wire) dial(ctx context.Context, network, address string) (net.Conn, error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &countedConn{Conn: conn, wire: w}, nil
}

// countedConn counts the first read after a write as the end of a round trip. pgx writes a pipeline as a whole before
// it reads, so that a batch is one round trip, as it is on a network.
type countedConn struct {
	net.Conn
	wire  *wire
	wrote atomic.Bool
}

// Write implements net.Conn.
func (c *countedConn) Write(p []byte) (int, error) {
	c.wrote.Store(true)
	return c.Conn.Write(p)
}

// Read implements net.Conn.
func (c *countedConn) Read(p []byte) (int, error) {
	if c.wrote.Swap(false) {
		c.wire.trips.Add(1)
		if delay := time.Duration(c.wire.delay.Load()); delay > 0 {
			time.Sleep(delay)
		}
	}
	return c.Conn.Read(p)
}
