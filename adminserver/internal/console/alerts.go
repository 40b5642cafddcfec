package console

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/adminserver/internal/web"
	"github.com/sendpromptly/sendpromptly/internal/store/projects"
)

// setAlerts sets the destination of alerts on one channel; an empty target turns the channel off.
func (c *console) setAlerts(v *visit) error {
	target, done := strings.TrimSpace(v.r.PostFormValue("target")), "alert"
	if target == "" {
		done = "alert-removed"
	}
	var settings projects.Settings
	switch v.r.PostFormValue("channel") {
	case projects.AlertEmail:
		settings.AlertEmail = &target
	case projects.AlertSlack:
		settings.AlertSlack = &target
	case projects.AlertWebhook:
		settings.AlertWebhook = &target
	default:
		return web.New(http.StatusUnprocessableEntity, "the channel must be email, slack or webhook")
	}
	project, err := v.Projects.Set(v.ctx(), v.project, settings, v.AllowNetworks, v.who.Actor())
	if err == nil && project.AlertWebhookSecret != "" {
		return v.showOnce(shownOnce{
			Title: "The webhook’s signing secret", Secret: project.AlertWebhookSecret, Back: v.link("/projects/" + v.project),
			What: "Alerts to this webhook are signed with it, as Standard Webhooks specifies.",
		})
	}
	return v.afterwards(err, done)
}

// testWithin limits the wait for destinations, so that the page is still shown.
const testWithin = 15 * time.Second

// sendTests sends a test to each destination once, without retries, and shows each result.
func (c *console) sendTests(v *visit) error {
	ctx, cancel := context.WithTimeout(v.ctx(), testWithin)
	defer cancel()
	results, err := c.testAlerts(ctx, v.project)
	if _, ok := fieldProblem(err); ok {
		return v.showProject(
			http.StatusUnprocessableEntity, "Nothing was sent: the project has no alert destination. Turn one on first.",
		)
	}
	if err != nil {
		return err
	}
	return v.showProject(http.StatusOK, "", results...)
}
