// Package currency knows how many decimals a currency has, and converts decimal amounts to minor
// units and back, exactly and without floating point.
package currency

import (
	"strconv"
	"strings"
)

// exponents lists the currencies of ISO 4217 (list one, active codes) whose
// minor unit is not a hundredth.
var exponents = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0,
	"RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0,
	"BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
	"CLF": 4, "UYW": 4,
}

// Exponent returns the number of decimals of an ISO 4217 code in any case: 2 for every code that is
// not in exponents.
func Exponent(code string) int {
	if e, ok := exponents[strings.ToUpper(code)]; ok {
		return e
	}
	return 2
}

// IsCode reports whether code has the form of an ISO 4217 code: three ASCII
// letters in any case.
func IsCode(code string) bool {
	for i := range len(code) {
		if c := code[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return len(code) == 3
}

// Parse converts a decimal amount such as "19.99" to minor units of the currency. It returns false
// if the amount is not of the form -?digits[.digits], has a fraction finer than the minor unit, or
// needs more than 64 bits.
func Parse(decimal, code string) (minor int64, ok bool) {
	if !IsCode(code) {
		return 0, false
	}
	digits, negative := strings.CutPrefix(decimal, "-")
	whole, fraction, dotted := strings.Cut(digits, ".")
	if !isDigits(whole) || dotted && !isDigits(fraction) {
		return 0, false
	}
	exponent := Exponent(code)
	if len(fraction) > exponent {
		if strings.Trim(fraction[exponent:], "0") != "" {
			return 0, false
		}
		fraction = fraction[:exponent]
	}
	text := whole + fraction + strings.Repeat("0", exponent-len(fraction))
	if negative {
		text = "-" + text
	}
	minor, err := strconv.ParseInt(text, 10, 64)
	return minor, err == nil
}

// Format returns minor units as a decimal amount, with all decimals of the currency: 1999 "EUR" is
// "19.99", 1999 "JPY" is "1999".
func Format(minor int64, code string) string {
	digits, sign := strconv.FormatInt(minor, 10), ""
	if strings.HasPrefix(digits, "-") {
		digits, sign = digits[1:], "-"
	}
	exponent := Exponent(code)
	if exponent == 0 {
		return sign + digits
	}
	if missing := exponent + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - exponent
	return sign + digits[:point] + "." + digits[point:]
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
