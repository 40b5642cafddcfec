package demo

import "testing"

func TestAPasswordThatIsNotOursIsNotShown(t *testing.T) {
	const whole = "postgres://me:secret@db.example/x"
	for _, test := range []struct {
		stage Stage
		shown string
	}{
		{Stage{DatabaseURL: whole, OwnServer: true}, whole},
		{Stage{DatabaseURL: whole}, "postgres://me:xxxxx@db.example/x"},
		{Stage{DatabaseURL: "postgres://me@db.example/x"}, "postgres://me@db.example/x"},
	} {
		if got := test.stage.shownURL(); got != test.shown {
			t.Errorf("shown %s, want %s", got, test.shown)
		}
		if note := test.stage.passwordNote(); (note == "") != (test.shown == test.stage.DatabaseURL) {
			t.Errorf("%s goes with %q", test.shown, note)
		}
	}
}
