package identity

import "testing"

func TestTheZeroIdentityMayNothing(t *testing.T) {
	t.Parallel()
	var nobody Identity
	if nobody.May(Viewer) || nobody.Sees("default") || From(t.Context()).May(Viewer) {
		t.Error("nobody may something")
	}
	if (Identity{Role: Admin}).May(Viewer) {
		t.Error("an identity without a name may something")
	}
}

func TestARoleMayWhatLowerOnesMay(t *testing.T) {
	t.Parallel()
	roles := []Role{Viewer, Operator, Admin}
	for i, has := range roles {
		for j, needs := range roles {
			if got := (Identity{Name: "ann", Role: has}).May(needs); got != (i >= j) {
				t.Errorf("%v may what %v may: %v", has, needs, got)
			}
		}
		if parsed, err := ParseRole(has.String()); err != nil || parsed != has {
			t.Errorf("ParseRole(%q) = %v, %v", has, parsed, err)
		}
	}
	if _, err := ParseRole("none"); err == nil {
		t.Error("none is a role")
	}
}

func TestAnIdentityOfOneProjectSeesNoOther(t *testing.T) {
	t.Parallel()
	one, all := Identity{Name: "a", Role: Viewer, Project: "billing"}, Identity{Name: "b", Role: Viewer}
	if !one.Sees("billing") || one.Sees("shop") || !all.Sees("shop") {
		t.Error("projects leak")
	}
}
