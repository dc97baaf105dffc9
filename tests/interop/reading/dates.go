package main

// Dates of docs/linkage.md section 3.

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	midnight  = `(?:[ T]00:00(?::00(?:[.,]0+)?)?Z?)?`
	yearFirst = regexp.MustCompile(`^([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})` + midnight + `$`)
	compact   = regexp.MustCompile(`^([0-9]{4})([0-9]{2})([0-9]{2})(?:[.,]0)?$`)
	dayFirst  = regexp.MustCompile(`^([0-9]{1,2})[-/. ]([0-9]{1,2})[-/. ]([0-9]{4})` + midnight + `$`)
	inWords   = regexp.MustCompile(`^([0-9]{1,2})[-/. ]([A-Za-z]{3,9})\.?[-/. ]([0-9]{4})$`)
	serial    = regexp.MustCompile(`^([0-9]{5})(?:[.,]0+)?$`)
	yearMonth = regexp.MustCompile(`^([0-9]{4})(?:[-/.]([0-9]{1,2}))?$`)
	monthYear = regexp.MustCompile(`^([0-9]{1,2})[-/. ]([0-9]{4})$`)

	twoDigitYear = regexp.MustCompile(`^[0-9]{1,2}[-/. ](?:[0-9]{1,2}|[A-Za-z]{3,9}\.?)[-/. ][0-9]{2}$`)
	wordYear     = regexp.MustCompile(`^[A-Za-z]{3,9}\.?[-/. ][0-9]{4}$`)
	blanked      = regexp.MustCompile(`^[0-9?xX*_]{1,4}(?:[-/. ][0-9?xX*_]{1,4}){1,2}$`)
	monthWords   = [12]string{
		"jan januari january", "feb februari february", "mrt maa mar maart march", "apr april", "mei may", "jun juni june",
		"jul juli july", "aug augustus august", "sep sept september", "okt oct oktober october", "nov november", "dec december",
	}
)

// date is what a cell says; 0 for what it does not.
type date struct{ year, month, day int }

func number(text string) int {
	made, _ := strconv.Atoi(text)
	return made
}

// exists says whether the calendar has the day.
func (d date) exists() bool {
	when := time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC)
	return d.month > 0 && d.day > 0 && when.Month() == time.Month(d.month) && when.Day() == d.day
}

// written reads a date of which day, month and year are written; isDayFirst: in figures and in that order.
func written(text string) (d date, isDayFirst bool, err error) {
	if found := yearFirst.FindStringSubmatch(text); found != nil {
		return date{number(found[1]), number(found[2]), number(found[3])}, false, nil
	}
	if found := compact.FindStringSubmatch(text); found != nil {
		return date{number(found[1]), number(found[2]), number(found[3])}, false, nil
	}
	if found := dayFirst.FindStringSubmatch(text); found != nil {
		return date{number(found[3]), number(found[2]), number(found[1])}, true, nil
	}
	if found := inWords.FindStringSubmatch(text); found != nil {
		for i, names := range monthWords {
			if words(names)[strings.ToLower(found[2])] {
				return date{number(found[3]), i + 1, number(found[1])}, false, nil
			}
		}
		return d, false, noDate
	}
	if found := serial.FindStringSubmatch(text); found != nil {
		when := time.Date(1899, 12, 30+number(found[1]), 0, 0, 0, 0, time.UTC)
		return date{when.Year(), int(when.Month()), when.Day()}, false, nil
	}
	switch {
	case twoDigitYear.MatchString(text):
		return d, false, shortYear
	case yearMonth.MatchString(text), monthYear.MatchString(text), wordYear.MatchString(text),
		blanked.MatchString(text) && strings.ContainsAny(text, "0123456789") && strings.ContainsAny(text, "?xX*_"):
		return d, false, partialDate
	}
	return d, false, noDate
}

// fullDate is the date of name-birthdate/1.
func fullDate(cell string) (string, error) {
	text, err := readCell(cell)
	if err != nil {
		return "", err
	}
	d, isDayFirst, err := written(text)
	switch {
	case err != nil:
		return "", err
	case d.year == 0 || d.month == 0 || d.day == 0:
		return "", partialDate
	case isDayFirst && d.month > 12 && d.day <= 12:
		return "", american
	case !d.exists():
		return "", noSuchDay
	case d.year < 1880 || d.year > 2099:
		return "", outOfRange
	}
	return fmt.Sprintf("%04d%02d%02d", d.year, d.month, d.day), nil
}

// knownDate is what the later schemes of persons take of a date.
func knownDate(cell string) (year, month, day string, err error) {
	text, err := readOptional(cell)
	if err != nil || text == "" {
		return "", "", "", err
	}
	d, isDayFirst, err := written(text)
	if found := yearMonth.FindStringSubmatch(text); found != nil {
		d, err = date{year: number(found[1]), month: number(found[2])}, nil
	} else if found := monthYear.FindStringSubmatch(text); found != nil {
		d, err = date{year: number(found[2]), month: number(found[1])}, nil
	}
	switch {
	case err == partialDate || err == nil && d.year == 0:
		return "", "", "", nil
	case err != nil:
		return "", "", "", err
	case d.year < 1880 || d.year > 2099:
		return "", "", "", outOfRange
	case isDayFirst && d.month > 12 && d.day <= 12:
		return "", "", "", american
	}
	year = fmt.Sprintf("%04d", d.year)
	if d.month >= 1 && d.month <= 12 {
		month = fmt.Sprintf("%02d", d.month)
	}
	if d.exists() {
		day = fmt.Sprintf("%02d", d.day)
	}
	return year, month, day, nil
}
