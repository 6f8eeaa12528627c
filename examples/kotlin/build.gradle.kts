// What Apollo Kotlin 4 generates the desk's client from. Download schema.graphql (`refundgql schema`, or introspection
// where it is on) and the operations into src/main/graphql, then run `./gradlew generateApolloSources`.
plugins {
    kotlin("jvm") version "2.1.0"
    id("com.apollographql.apollo") version "4.1.0"
}

dependencies {
    implementation("com.apollographql.apollo:apollo-runtime:4.1.0")
}

apollo {
    service("desk") {
        packageName.set("example.desk")
        schemaFiles.from("src/main/graphql/schema.graphql")
        // Instants and amounts stay the texts they are: a Decimal in a Double loses cents.
        mapScalarToKotlinString("DateTime")
        mapScalarToKotlinString("Date")
        mapScalarToKotlinString("Decimal")
        mapScalarToKotlinString("CurrencyCode")
        // A server that is newer than the app may send a value the app does not know: it arrives as UNKNOWN__.
        sealedClassesForEnumsMatching.set(listOf(".*"))
        // Written into a manifest that REFUNDGQL_TRUSTED_DOCUMENTS takes.
        operationManifestFormat.set("persistedQueryManifest")
    }
}
