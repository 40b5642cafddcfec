package wire

import (
	"github.com/sendpromptly/sendpromptly/internal/store/access"
)

// Keys are a project's API keys, newest first, including revoked ones.
type Keys struct {
	Keys []access.APIKey `json:"keys"`
}

// KeyWithSecret is a new API key, which is shown once.
type KeyWithSecret struct {
	access.APIKey
	Secret string `json:"key" doc:"sk_ and 40 characters, shown only once."`
}

// Operators are the people who may log in.
type Operators struct {
	Operators []access.OperatorAccount `json:"operators"`
}

// LoginLink logs its holder in once.
type LoginLink struct {
	URL string `json:"url" doc:"Works once, for 15 minutes."`
}

// Tokens are API tokens, newest first, including expired and revoked ones.
type Tokens struct {
	Tokens []access.Token `json:"tokens"`
}

// TokenWithSecret is a new token, which is shown once.
type TokenWithSecret struct {
	access.Token
	Secret string `json:"token" doc:"spt_ and 40 characters, shown only once."`
}
