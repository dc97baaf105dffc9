package main

// Cells of docs/linkage.md section 3.

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// Compatibility characters that are another form of the same: <wide>, <narrow>, <noBreak> and <font>.
var otherForms = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x0f0c, 0x0f0c, 1}, {0x2011, 0x2011, 1}, {0x2102, 0x2102, 1}, {0x210a, 0x2115, 1}, {0x2119, 0x211d, 1}, {0x2124, 0x2128, 4},
		{0x212c, 0x2134, 1}, {0x2139, 0x2139, 1}, {0x213c, 0x2149, 1}, {0xfb20, 0xfb29, 1}, {0xff01, 0xffee, 1},
	},
	R32: []unicode.Range32{{0x1d400, 0x1d7ff, 1}, {0x1ee00, 0x1eebb, 1}, {0x1fbf0, 0x1fbf9, 1}},
}

var (
	textMark   = regexp.MustCompile(`(?s)^(?:="(.*)"|'(.*))$`)
	sheetError = regexp.MustCompile(`(?i)^#(?:N/[AB]|(?:REF|VERW|VALUE|WAARDE|DIV/0|DEEL/0|NUM|GETAL|NULL|LEEG)!|(?:NAME|NAAM)\?)$`)
)

// readCell gives a cell's visible text; an empty one is refused.
func readCell(cell string) (string, error) {
	if isDamaged(cell) {
		return "", damaged
	}
	var out strings.Builder
	for _, r := range cell {
		switch {
		case unicode.Is(unicode.Cf, r):
		case unicode.Is(otherForms, r):
			out.WriteString(norm.NFKC.String(string(r)))
		default:
			out.WriteRune(r)
		}
	}
	text := strings.Join(strings.FieldsFunc(norm.NFC.String(out.String()), isSpace), " ")
	if found := textMark.FindStringSubmatch(text); found != nil {
		text = strings.Trim(found[1]+found[2], " ")
	}
	switch {
	case text == "":
		return "", empty
	case sheetError.MatchString(text):
		return "", sheetFault
	}
	return text, nil
}

// readOptional is readCell for a column that may be empty.
func readOptional(cell string) (string, error) {
	text, err := readCell(cell)
	if err == empty {
		return "", nil
	}
	return text, err
}

func isDamaged(cell string) bool {
	if strings.ContainsRune(cell, 0xFFFD) {
		return true
	}
	again, err := charmap.Windows1252.NewEncoder().String(cell)
	return err == nil && again != cell && strings.ToValidUTF8(again, "") == again
}

func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// capitals is Unicode's full mapping: ß is SS.
func capitals(text string) string { return cases.Upper(language.Und).String(text) }
