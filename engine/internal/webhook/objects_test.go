package webhook

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestObjectsAreBoundedAndDistinct(t *testing.T) {
	var o Objects
	if o.IDs() != nil {
		t.Error("nothing was collected")
	}
	long := strings.Repeat("x", 256)
	o.Add("in_1", "", "pi_1", "in_1", long, "a\x00b", "a\xffb", "Order 7", long[:255])
	if want := []string{"in_1", "pi_1", long[:255]}; !slices.Equal(o.IDs(), want) {
		t.Errorf("got %q", o.IDs())
	}
	for i := range 20 {
		o.Add(fmt.Sprint("id", i))
	}
	if len(o.IDs()) != 16 || o.IDs()[0] != "in_1" {
		t.Errorf("got %d ids, first %q", len(o.IDs()), o.IDs()[0])
	}
}
