"""How columns are called: the names, in several languages, that say which label a column deserves.

Written without accents, blanks or case, as `words()` of a column's name joined. English, German, French, Spanish,
Italian, Dutch and Portuguese; a spelling that several languages share stands once.
"""

NAMES: dict[str, str] = {
    "Person.FullName": """
        fullname personname customername contactname clientname membername displayname completename wholename
        vollername vollstaendigername gesamtname kundenname namegesamt nomcomplet nometprenom prenometnom nomclient
        nombrecompleto nombreyapellidos nombrecliente nomecompleto nomecognome volledigenaam klantnaam nomecliente""",
    "Person.FirstName": """
        firstname givenname forename fname first given christianname vorname rufname vornamen prenom prenoms
        nombre nombres primernombre nombredepila voornaam roepnaam primeironome""",
    "Person.MiddleName": """
        middlename middleinitial secondname mname middle zweitername zweitervorname mittelname deuxiemeprenom
        segundonombre secondonome tweedenaam tussenvoegsel""",
    "Person.LastName": """
        lastname surname familyname lname last nachname familienname zuname nomdefamille nomfamille patronyme
        apellido apellidos primerapellido cognome achternaam familienaam sobrenome apelido ultimonome""",
    "Person.BirthDate": """
        dateofbirth birthdate birthday birthdt dob bday borndate bornon born birth geburtsdatum geburtstag gebdatum
        geburt geborenam gebdat datedenaissance datenaissance naissance neele fechadenacimiento fechanacimiento
        fnacimiento nacimiento datadinascita datanascita geboortedatum geboren datadenascimento datanascimento""",
    "Person.Gender": """
        gender sex gendercode geschlecht anrede genre sexe genero sexo genere sesso geslacht""",
    "Person.ProfileImage": """
        profileimage profilepicture profilephoto avatar photourl pictureurl profilbild photodeprofil fotodeperfil""",
    "Identity.Service.Email": """
        email emailaddress emailaddr mail mailaddress emailid emailadresse mailadresse courriel adressemail
        adresseemail adresseelectronique correo correoelectronico direcciondecorreo postaelettronica emailadres
        emailaddress1 email1 emailaddress2 email2 correioeletronico enderecodeemail""",
    "Identity.Service.Phone": """
        phone telephone phonenumber telephonenumber phoneno tel telno mobile mobilephone mobilenumber cell cellphone
        cellnumber fax landline contactnumber telefon telefonnummer telefonnr rufnummer mobil mobilnummer handy
        handynummer festnetz mobiltelefon numerodetelephone numtelephone telephonemobile portable telefono celular
        movil numerodetelefono cellulare telefoonnummer telefoon mobiel telefone telemovel msisdn phone1 telephone1
        phone2 telephone2""",
    "Identity.Service.Facebook": "facebook facebookid facebookurl facebookprofile facebookhandle",
    "Identity.Service.Twitter": "twitter twitterid twitterhandle twitterurl twitterprofile",
    "Identity.GovernmentID": """
        governmentid nationalid nationalidnumber ssn socialsecuritynumber socialsecurity passport passportnumber
        passportno taxid taxnumber ausweisnummer personalausweis reisepass reisepassnummer steuernummer steuerid
        sozialversicherungsnummer numerodesecuritesociale numerosecuritesociale nir dni nie nif cpf codicefiscale bsn
        burgerservicenummer""",
    "Location.Address": """
        address fulladdress postaladdress mailingaddress homeaddress adresse anschrift postanschrift direccion
        domicilio indirizzo adres endereco""",
    "Location.AddressStreet": """
        street streetaddress streetname addressline addressline1 address1 addr1 street1 addressstreet strasse str
        strassehausnummer strasseundhausnummer strassenname rue voie adresserue calle via straat straatnaam rua
        logradouro""",
    "Location.City": "city town cityname ort stadt wohnort ville commune ciudad localidad citta comune stad plaats woonplaats cidade",  # noqa: E501
    "Location.County": "county landkreis kreis departement comarca",
    "Location.State": "state statecode statename stateprovince stateorprovince bundesland estado",
    "Location.Province": "province provincie provincia provinz",
    "Location.Region": "region regio regione regiao",
    "Location.Country": """
        country countrycode countryname countryregion nation land landescode laendercode pays codepays pais codigopais
        paese nazione landcode""",
    "Location.Continent": "continent kontinent continente",
    "Location.PostalCode": """
        postalcode postcode zip zipcode zippostalcode plz postleitzahl codepostal cp codigopostal cap
        codiceavviamentopostale codicepostale cep""",
    "Location.Latitude": "latitude lat breitengrad geobreite latitud latitudine breedtegraad",
    "Location.Longitude": "longitude lon lng long laengengrad geolaenge longitud longitudine lengtegraad",
    "Location.Timezone": "timezone tz zeitzone fuseauhoraire zonahoraria fusoorario tijdzone fusohorario",
    "Measurement.DateCreation": """
        createdon created createdat createddate creationdate datecreated datecreation createdate createdtime
        registrationdate registeredon registeredat signupdate signedupat signedupon joined joinedon joindate
        membersince erstelltam erstellt anlagedatum angelegtam erstellungsdatum registrierungsdatum datedecreation
        creele dateinscription fechadecreacion fechacreacion fechaalta creadoel datacreazione aangemaaktop
        aanmaakdatum datadecriacao""",
    "Measurement.DateModify": """
        modifiedon modified modifiedat modifieddate updatedon updated updatedat updateddate lastmodified lastupdated
        lastupdate datemodified modificationdate geaendertam geaendert aenderungsdatum aktualisiertam
        datedemodification modifiele datemaj fechademodificacion fechamodificacion actualizadoel datamodifica
        gewijzigdop wijzigingsdatum datadealteracao""",
    "Measurement.Status": "status statuscode statecodename zustand statut estatus stato",
    "Measurement.Version": "version versionnumber versionno rowversion",
    "Reference.URL": "url website webaddress homepage link webpage webseite internetadresse siteweb siteinternet sitioweb sitoweb",  # noqa: E501
    "Reference.ImageURL": "imageurl imagelink imageuri bildurl imageurl1 urlimage urlimagen",
    "Reference.Description": "description desc beschreibung descriptif descripcion descrizione omschrijving descricao",
    "Reference.Phonetic": "phonetic phoneticname yomi furigana",
    "Calendar.Date": "date datum fecha data purchasedon purchasedate orderdate ordereddate orderedon transactiondate reviewdate eventdate visitdate kaufdatum bestelldatum dateachat datedachat fechacompra",  # noqa: E501
    "Calendar.Time": "time uhrzeit heure hora ora tijd",
    "Calendar.Year": "year jahr annee ano anno jaar",
    "Calendar.Month": "month monat mois mes mese maand",
    "Calendar.Week": "week weeknumber kalenderwoche semaine semana settimana",
    "Calendar.Quarter": "quarter quartal trimestre kwartaal",
    "Calendar.DayOfWeek": "dayofweek weekday wochentag jourdelasemaine diadelasemana",
    "Organization.Name": """
        company companyname organization organisation organizationname organisationname firm firmname accountname
        employer firma firmenname unternehmen arbeitgeber entreprise societe raisonsociale empresa razonsocial azienda
        ragionesociale bedrijf bedrijfsnaam""",
    "Brand": "brand brandname marke marque marca merk",
    "BarCode": "barcode ean gtin upc ean13 strichcode codebarres codigodebarras",
    "Image": "image picture photo bild imagen immagine",
    "Place": "place venue placename lieu lugar luogo",
    "Product": "product productname item itemname produkt produktname artikel produit nomproduit producto prodotto",
}
"""Label to names. Where one name is in two lists, the first label has it."""

_NOTHING = "ipaddress macaddress ipaddr domainname username filename hostname productline nickname"
NOTHING = frozenset(_NOTHING.split())
"""Names that end like one of the above and mean something else."""

_QUALIFIERS = """
    customer contact client member user person personal primary main home private work business office billing shipping
    delivery mailing current default preferred my the kunde kunden privat haupt firmen cliente
    """
QUALIFIERS = frozenset(_QUALIFIERS.split())
"""Words before a name that do not change what it means: `HomePhone`, `billing_city`."""

SURE: frozenset[str] = frozenset({"dob", "fax", "plz", "sex", "ssn", "tel", "url", "zip"})
"""Names of three letters that also count at the end of a longer one; `MarketCap` is no Italian postcode."""

LABEL_OF: dict[str, str] = {}
"""Name to label."""
for _label, _names in NAMES.items():
    for _name in _names.split():
        LABEL_OF.setdefault(_name, _label)
