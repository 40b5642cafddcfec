package localpg

import (
	"os/exec"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestContainerServesAndGoesAway(t *testing.T) {
	t.Parallel()
	if !dockerAnswers(t.Context()) {
		t.Skip("no Docker engine answers")
	}
	if exec.Command("docker", "image", "inspect", dockerImage).Run() != nil {
		t.Skipf("the image %s is not here, and tests download nothing", dockerImage)
	}
	s, err := startContainer(t.Context(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if got := query(t, s.URL(), "SHOW fsync"); got != "off" || !s.Started() {
		t.Errorf("fsync = %s, started %v", got, s.Started())
	}
	name := RandomName(TestPrefix)
	dsn, err := s.CreateDatabase(t.Context(), name, "")
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, dsn, "SELECT current_database()"); got != name {
		t.Errorf("connected to %s, want %s", got, name)
	}
	conn, err := pgx.Connect(t.Context(), s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.WaitForNotification(t.Context()); err == nil {
		t.Error("the connection survived its container")
	}
}
