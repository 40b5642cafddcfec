package console

import "net/http"

func (c *console) overview(v *visit) error {
	return v.render(http.StatusOK, "overview", page{Title: "Overview", Nav: "Overview", Live: true})
}
