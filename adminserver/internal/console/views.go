package console

import (
	"slices"
	"strings"

	"github.com/sendpromptly/sendpromptly/internal/store/incidents"
)

// view is a saved view as the list shows it.
type view struct {
	incidents.SavedView
	Link string
	Here bool
}

// views reads the project's saved views; f is the filter that is shown.
func (v *visit) views(f filter) ([]view, error) {
	saved, err := v.Incidents.Views.List(v.ctx(), v.project)
	if err != nil {
		return nil, err
	}
	views := make([]view, len(saved))
	for i, s := range saved {
		values := filterOf(s.Filter).Values()
		views[i] = view{s, v.link("/incidents", values...), slices.Equal(values, f.Values())}
	}
	return views, nil
}

// saveView saves the form's filter under a name.
func (c *console) saveView(v *visit) error {
	f, err := readFilter(v.r.PostForm)
	if err != nil {
		return err
	}
	if _, err := v.Incidents.Views.Save(
		v.ctx(),
		v.project,
		strings.TrimSpace(v.r.PostFormValue("name")),
		f.asked(),
		v.who.Actor(),
	); err != nil {
		return err
	}
	v.redirect("/incidents", "view", "", f.Values()...)
	return nil
}

func (c *console) deleteView(v *visit) error {
	if err := v.Incidents.Views.Delete(v.ctx(), v.project, v.r.PathValue("id"), v.who.Actor()); err != nil {
		return notFoundID(err)
	}
	v.redirect("/incidents", "view-deleted", "")
	return nil
}
