package main

// postcode-number/1 of docs/pseudonym-spec.md section 2.

import (
	"regexp"
	"strings"
)

var (
	dutchPostcode = regexp.MustCompile(`^(?:NL[ -]?)?([1-9][0-9]{3})[ .-]?([A-Z]{2})$`)
	aMonth        = `(?:jan|feb|mrt|maa|mar|apr|mei|may|jun|jul|aug|sep|okt|oct|nov|dec)[a-z]*\.?`
	asDate        = anyCase(`^(?:[0-9]{1,2}[ -/]` + aMonth + `(?:[ -/][0-9]{2,4})?|` + aMonth + `[ -/][0-9]{2,4}` +
		`|[0-9]{1,2}[/-][0-9]{1,2}[/-](?:[0-9]{2}){1,2}|[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].*)?)$`)
	houseCell    = anyCase(`^(?:(?:huisnummer|huisnr|nummer|nr|no)[ .:]+)?([0-9]+)(.*)$`)
	decimals     = regexp.MustCompile(`^[.,]00?$`)
	decimalCell  = regexp.MustCompile(`^([0-9]+)[.,]00?$`)
	rangeWord    = regexp.MustCompile(`(?i)(?:^|[^\pL\pN_])(?:t/m|tm|tot|en)(?:$|[^\pL\pN_])|[&+]`)
	quiet        = regexp.MustCompile(`[ _/.,()'\x{2019}` + dash + `]+`)
	plain        = regexp.MustCompile(`^[A-Z0-9]*$`)
	superscripts = strings.NewReplacer("¹", " 1", "²", " 2", "³", " 3")
)

func readDutchPostcode(cell string) (string, error) {
	text, err := readCell(cell)
	if err != nil {
		return "", err
	}
	found := dutchPostcode.FindStringSubmatch(capitals(text))
	switch {
	case found == nil:
		return "", noPostcode
	case words("SA SD SS")[found[2]]:
		return "", noLetters
	}
	return found[1] + found[2], nil
}

func addition(text string) (string, error) {
	made := capitals(quiet.ReplaceAllString(superscripts.Replace(text), ""))
	switch {
	case !plain.MatchString(made):
		return "", badAddition
	case len(made) > 8:
		return "", longAddition
	}
	return made, nil
}

// readHouse gives the number, and the addition behind it.
func readHouse(cell string) (number, behind string, err error) {
	text, err := readCell(cell)
	if err != nil {
		return "", "", err
	}
	text = superscripts.Replace(text)
	if asDate.MatchString(text) {
		return "", "", excelDate
	}
	found := houseCell.FindStringSubmatch(text)
	if found == nil {
		return "", "", noHouse
	}
	number, behind = strings.TrimLeft(found[1], "0"), decimals.ReplaceAllString(found[2], "")
	switch {
	case number == "" || len(number) > 5:
		return "", "", houseSize
	case rangeWord.MatchString(behind):
		return "", "", houseRange
	}
	behind, err = addition(behind)
	return number, behind, err
}

func readAddition(row map[string]string, column string) (string, error) {
	text, err := readOptional(row[column])
	if err == nil {
		text, err = addition(decimalCell.ReplaceAllString(text, "$1"))
	}
	return text, in(column, err)
}

func readDutchHome(row map[string]string) ([]string, error) {
	postcode, err := readDutchPostcode(row["postcode"])
	if err != nil {
		return nil, in("postcode", err)
	}
	number, behind, err := readHouse(row["house_number"])
	if err != nil {
		return nil, in("house_number", err)
	}
	letter, err := readAddition(row, "house_letter")
	if err != nil {
		return nil, err
	}
	more, err := readAddition(row, "house_number_addition")
	if err != nil {
		return nil, err
	}
	made := letter + more
	switch {
	case behind == "" || behind == made || behind == letter:
	case letter != "":
		return nil, Refused{"house_letter", contradiction}
	case strings.HasSuffix(behind, more):
		made = behind
	default:
		made = behind + more
	}
	if len(made) > 8 {
		return nil, Refused{"house_number_addition", longAddition}
	}
	return []string{postcode, number, made}, nil
}
