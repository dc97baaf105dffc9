package main

// The schemes of one number in docs/pseudonym-spec.md section 2.

import (
	"regexp"
	"strings"
)

// NumberScheme is a line of the table. Leading zeros are put back from `byRule` digits on, and from `asked` on request.
type NumberScheme struct {
	length, byRule, asked int
	label                 *regexp.Regexp
	check                 func(digits string) error
}

var numberSchemes = map[string]NumberScheme{
	"bsn":       {9, 8, 8, label(`bsn|burgerservice|sofi`), elevenTest},
	"rsin":      {9, 8, 8, label(`rsin|fiscaal`), elevenTest},
	"kvk":       {8, 8, 7, label(`kvk|k\.v\.k\.?|kamer van koophandel|dossier`), nil},
	"vestiging": {12, 12, 8, label(`vestigings?|vest\.?`), nil},
	"bag":       {16, 16, 13, label(`bag(?:[ -]?id)?|nl\.imbag\.[a-z]+`), bagObject},
}

const dash = `\-\x{2010}-\x{2015}\x{2212}`

var (
	payrollLabel = label(`loonheffing(?:s|en)?|lh|loonbelasting`)
	payroll      = regexp.MustCompile(`^([0-9]{9})[ .-]?[Ll][ .-]?([0-9]{2})$`)
	scientific   = regexp.MustCompile(`^[+-]?[0-9]+(?:[.,][0-9]+)?[Ee][+-]?[0-9]+$`)
	vatNumber    = regexp.MustCompile(`(?i)^(?:NL)?[0-9]{9}B[0-9]{2}$`)
	noCents      = regexp.MustCompile(`^([0-9]+|[0-9]{1,3}(?:[.,][0-9]{3})+)[.,]00?$`)
	thousands    = regexp.MustCompile(`^[0-9]{1,3}(?:,[0-9]{3})+$`)
	separators   = regexp.MustCompile(`([0-9])[ .` + dash + `]+([0-9])`)
	allDigits    = regexp.MustCompile(`^[0-9]+$`)
)

// anyCase is a pattern in capitals or not, with Turkey's two letters i.
func anyCase(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)` + strings.NewReplacer("[a-z]", "[a-zıİ]", "i", "[iıİ]").Replace(pattern))
}

func label(words string) *regexp.Regexp {
	return anyCase(`^(?:` + words + `)(?:[ -]*(?:nummer|number|nr|no))?[ .:=#-]*([0-9].*)$`)
}

func elevenTest(digits string) error {
	sum := 0
	for i, weight := range []int{9, 8, 7, 6, 5, 4, 3, 2, -1} {
		sum += weight * int(digits[i]-'0')
	}
	if sum%11 != 0 {
		return failsEleven
	}
	return nil
}

func bagObject(digits string) error {
	if strings.HasPrefix(digits, "0000") {
		return noTown
	}
	if !words("01 02 03 10 20 30")[digits[4:6]] {
		return noBAGType
	}
	return nil
}

// bare is a cell without the label before its number and the marks behind it; a VAT number is refused.
func bare(cell string, label *regexp.Regexp) (string, error) {
	text, err := readCell(cell)
	if err != nil {
		return "", err
	}
	text = strings.TrimRight(label.ReplaceAllString(text, "$1"), " .,;")
	if vatNumber.MatchString(strings.NewReplacer(" ", "", ".", "").Replace(text)) {
		return "", vat
	}
	return text, nil
}

// together drops what separates digits. Twice, since a digit between two separators is found only once.
func together(text string) string {
	return separators.ReplaceAllString(separators.ReplaceAllString(text, "$1$2"), "$1$2")
}

func (n NumberScheme) read(cell string, restoreZeros bool) (string, error) {
	text, err := bare(cell, n.label)
	if err != nil {
		return "", err
	}
	if scientific.MatchString(text) {
		return "", inScience
	}
	text = noCents.ReplaceAllString(text, "$1")
	if thousands.MatchString(text) {
		text = strings.ReplaceAll(text, ",", "")
	}
	text = together(text)
	if !allDigits.MatchString(text) {
		return "", notDigits
	}
	if missing := n.length - len(text); missing > 0 && (len(text) >= n.byRule || restoreZeros && len(text) >= n.asked) {
		text = strings.Repeat("0", missing) + text
	}
	switch {
	case len(text) > n.length:
		return "", tooMany
	case len(text) < n.length && n.byRule < n.length:
		return "", underEight
	case len(text) < n.length && len(text) >= n.asked:
		return "", zerosLost
	case len(text) < n.length:
		return "", tooFew
	case strings.Trim(text, "0") == "":
		return "", allZeros
	case n.check != nil:
		return text, n.check(text)
	}
	return text, nil
}

func readPayroll(cell string) (string, error) {
	text, err := bare(cell, payrollLabel)
	if err != nil {
		return "", err
	}
	if at := strings.IndexAny(text, "Ll"); at > 0 {
		text = together(text[:at]) + text[at:]
	}
	found := payroll.FindStringSubmatch(text)
	switch {
	case found == nil:
		return "", noPayroll
	case strings.Trim(found[1], "0") == "":
		return "", allZeros
	}
	return found[1] + "L" + found[2], elevenTest(found[1])
}
