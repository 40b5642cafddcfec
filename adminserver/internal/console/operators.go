package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

// operatorsPage lists the people and tokens that may log in.
type operatorsPage struct {
	Operators []access.OperatorAccount
	Tokens    []access.Token
	Roles     []string
	Now       time.Time
}

var roles = []string{"viewer", "operator", "admin"}

func (c *console) operators(v *visit) error { return v.showOperators(http.StatusOK, "") }

func (v *visit) showOperators(status int, problem string) (err error) {
	data := operatorsPage{Roles: roles}
	if data.Operators, err = v.Access.Operators.List(v.ctx()); err != nil {
		return err
	}
	if data.Tokens, err = v.Access.Tokens.List(v.ctx()); err != nil {
		return err
	}
	if data.Now, err = v.Checks.Now(v.ctx()); err != nil {
		return err
	}
	return v.render(status, "operators", page{Title: "Operators", Nav: "Operators", Problem: problem, Data: data})
}

// afterOperators redirects to the list, or shows the error.
func (v *visit) afterOperators(err error, done string) error {
	if problem, ok := fieldProblem(err); ok {
		return v.showOperators(http.StatusUnprocessableEntity, problem)
	}
	if err != nil {
		return err
	}
	v.redirect("/operators", done, "")
	return nil
}

func (v *visit) email() string { return strings.TrimSpace(v.r.PostFormValue("email")) }

// showLoginLink shows a one-time link.
func (v *visit) showLoginLink(link string, err error) error {
	if problem, ok := fieldProblem(err); ok {
		return v.showOperators(http.StatusUnprocessableEntity, problem)
	}
	if err != nil {
		return err
	}
	return v.showOnce(shownOnce{
		Title: "Login link", Secret: v.Base.URL("/login/" + link), Back: v.link("/operators"),
		What: "It logs " + v.email() + " in once, within 15 minutes. Send it only to them.",
	})
}

func (c *console) invite(v *visit) error {
	return v.showLoginLink(v.Access.Operators.Invite(v.ctx(), v.email(), v.r.PostFormValue("role"), v.who.Actor()))
}

func (c *console) loginLink(v *visit) error {
	return v.showLoginLink(v.Access.Operators.CreateLink(v.ctx(), v.email(), v.who.Actor()))
}

func (c *console) setOperator(v *visit) error {
	return v.afterOperators(v.Access.Operators.SetRole(v.ctx(), v.email(), v.r.PostFormValue("role"), v.who.Actor()), "operator")
}

func (c *console) removeOperator(v *visit) error {
	return v.afterOperators(v.Access.Operators.Remove(v.ctx(), v.email(), v.who.Actor()), "operator-removed")
}

func (c *console) createToken(v *visit) error {
	days, err := strconv.Atoi(v.r.PostFormValue("days"))
	if err != nil || days < 1 || days > 3650 {
		return v.showOperators(http.StatusUnprocessableEntity, "Nothing was saved: days must be a number from 1 to 3650.")
	}
	token, secret, err := v.Access.Tokens.Create(v.ctx(), v.r.PostFormValue("role"), strings.TrimSpace(v.r.PostFormValue("label")),
		v.r.PostFormValue("only"), time.Duration(days)*24*time.Hour, v.who.Actor())
	if problem, ok := fieldProblem(err); ok {
		return v.showOperators(http.StatusUnprocessableEntity, problem)
	}
	if err != nil {
		return err
	}
	return v.showOnce(shownOnce{
		Title: "Token " + token.Label, Secret: secret, Back: v.link("/operators"),
		What: "Programs send it to the admin API as their bearer token. It also works on the login page.",
	})
}

func (c *console) revokeToken(v *visit) error {
	return v.afterOperators(notFoundID(v.Access.Tokens.Revoke(v.ctx(), v.r.PathValue("id"), v.who.Actor())), "token-revoked")
}
