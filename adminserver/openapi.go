package adminserver

import "github.com/sendpromptly/sendpromptly/adminserver/internal/api"

// OpenAPI is the admin API's description in OpenAPI 3.1, as JSON.
func OpenAPI() []byte { return api.Spec() }
