package main

// Reason is why a cell is refused: the list of docs/pseudonym-spec.md section 2, "Reasons".
type Reason string

func (r Reason) Error() string { return string(r) }

// Refused says which column a row is refused for, and why.
type Refused struct {
	Column string
	Reason Reason
}

func (r Refused) Error() string { return r.Column + ": " + string(r.Reason) }

// in puts the column to a reason.
func in(column string, err error) error {
	if reason, is := err.(Reason); is {
		return Refused{column, reason}
	}
	return err
}

const (
	damaged    Reason = "damaged characters: the file was saved or read in another encoding"
	empty      Reason = "empty"
	sheetFault Reason = "a spreadsheet error, not a value"

	inScience   Reason = "scientific notation: Excel destroyed digits; export the column as text"
	vat         Reason = "a VAT number, not the number asked for"
	noPayroll   Reason = "not 9 digits, the letter L and 2 digits"
	notDigits   Reason = "characters other than digits"
	tooMany     Reason = "too many digits"
	underEight  Reason = "fewer than 8 digits: leading zeros are lost; export the column as text"
	zerosLost   Reason = "too few digits: leading zeros are lost; export the column as text, or use --restore-zeros if sure"
	tooFew      Reason = "too few digits"
	allZeros    Reason = "all zeros"
	failsEleven Reason = "fails the 11-test: mistyped, or another kind of number"
	noTown      Reason = "the municipality code is 0000"
	noBAGType   Reason = "digits 5 and 6 are no BAG object type (01, 02, 03, 10, 20 or 30)"

	noPostcode    Reason = "not 4 digits (the first not 0) and 2 letters"
	noLetters     Reason = "a postcode never ends in SA, SD or SS"
	excelDate     Reason = "Excel turned it into a date; export the column as text"
	noHouse       Reason = "does not start with a house number"
	houseSize     Reason = "a house number is 1 to 99999"
	houseRange    Reason = "a range of house numbers: give one row for each"
	badAddition   Reason = "an addition holds only letters and digits"
	longAddition  Reason = "an addition has at most 8 letters and digits"
	contradiction Reason = "the additions in the columns contradict each other"

	noState     Reason = "not a country code of 2 or 3 letters (ISO 3166 or ICAO 9303)"
	noDocument  Reason = "a document number holds only letters and digits"
	docLength   Reason = "a document number has 5 to 20 letters and digits"
	lettersOnly Reason = "holds no digit"
	dutchLength Reason = "a Dutch document number has 9 letters and digits"
	dutchO      Reason = "a Dutch document number never holds the letter O: it is the digit 0"

	comma       Reason = "a comma: give family name and given names in their own columns"
	noNameSign  Reason = "characters that stand in no name"
	noLetter    Reason = "holds no letter"
	otherScript Reason = "letters other than Latin or Cyrillic: give the printed Latin name"
	twoScripts  Reason = "Latin and Cyrillic letters in one name"
	nameUnknown Reason = "says that the name is unknown"
	tooLittle   Reason = "too little of this person is filled in: no match key can be made"

	shortYear   Reason = "a year of two digits: write four"
	partialDate Reason = "a partial date: day, month or year is unknown"
	noDate      Reason = "not a date as 1990-12-31, 31-12-1990 or 19901231"
	american    Reason = "month above 12: dates are day first; American order is not guessed"
	noSuchDay   Reason = "no such day in the calendar"
	outOfRange  Reason = "outside 1880 to 2099"
)
