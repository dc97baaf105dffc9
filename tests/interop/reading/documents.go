package main

// wid-document/1 of docs/pseudonym-spec.md section 2.

import (
	"regexp"
	"strings"

	"golang.org/x/text/language"
)

var (
	asOther   = map[string]string{"D": "DEU", "EL": "GRC", "UK": "GBR", "EU": "EUE", "XK": "RKS", "XKX": "RKS", "ROM": "ROU"}
	icaoCodes = words("XXA XXB XXC XXX EUE UNO UNA RKS GBD GBN GBO GBP GBS")
	// What the library has beyond the current codes of ISO 3166-1: reserved, withdrawn and user-assigned ones.
	noISO = words("AC AN BU CP CQ CS CT DD DG DY EA EZ FQ FX HV IC JT MI NH NQ NT PC PU PZ RH SU TA TP UN VD WK XK YD YU ZR")

	inExcel    = regexp.MustCompile(`^[0-9]+[.,][0-9]+[Ee][+-]?[0-9]+$`)
	decimalEnd = regexp.MustCompile(`([0-9])[.,]0$`)
	gaps       = regexp.MustCompile(`[ ./<` + dash + `]+`)
)

// stateCode is the code of three letters, or "".
func stateCode(text string) string {
	code := strings.Trim(capitals(text), " .<")
	if made, is := asOther[code]; is {
		return made
	}
	if icaoCodes[code] {
		return code
	}
	region, err := language.ParseRegion(code)
	if err != nil || !region.IsCountry() || noISO[region.String()] || code != region.String() && code != region.ISO3() {
		return ""
	}
	return region.ISO3()
}

func readDocument(cell, state string) (string, error) {
	text, err := readCell(cell)
	if err != nil {
		return "", err
	}
	if inExcel.MatchString(text) {
		return "", inScience
	}
	made := capitals(gaps.ReplaceAllString(decimalEnd.ReplaceAllString(text, "$1"), ""))
	switch {
	case made == "" || !plain.MatchString(made):
		return "", noDocument
	case len(made) < 5 || len(made) > 20:
		return "", docLength
	case strings.Trim(made, "0") == "":
		return "", allZeros
	case !strings.ContainsAny(made, "0123456789"):
		return "", lettersOnly
	case state == "NLD" && len(made) != 9:
		return "", dutchLength
	case state == "NLD" && strings.Contains(made, "O"):
		return "", dutchO
	}
	return made, nil
}

func readWID(row map[string]string) ([]string, error) {
	text, err := readCell(row["document_country"])
	state := stateCode(text)
	if err == nil && state == "" {
		err = noState
	}
	if err != nil {
		return nil, in("document_country", err)
	}
	number, err := readDocument(row["document_number"], state)
	return []string{state, number}, in("document_number", err)
}
