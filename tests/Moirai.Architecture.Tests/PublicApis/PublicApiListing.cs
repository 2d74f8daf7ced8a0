using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace Moirai.Architecture.Tests.PublicApis;

/// <summary>Everything a user of an assembly can name, one member per line, in an order that does not depend on the sources.</summary>
internal static class PublicApiListing
{
    private static readonly SymbolDisplayFormat TypeName = new(
        typeQualificationStyle: SymbolDisplayTypeQualificationStyle.NameAndContainingTypes,
        genericsOptions: SymbolDisplayGenericsOptions.IncludeTypeParameters,
        miscellaneousOptions: SymbolDisplayMiscellaneousOptions.UseSpecialTypes | SymbolDisplayMiscellaneousOptions.IncludeNullableReferenceTypeModifier);

    private static readonly SymbolDisplayFormat Declaration = TypeName
        .WithGenericsOptions(TypeName.GenericsOptions | SymbolDisplayGenericsOptions.IncludeTypeConstraints)
        .WithMemberOptions(
            SymbolDisplayMemberOptions.IncludeAccessibility | SymbolDisplayMemberOptions.IncludeModifiers | SymbolDisplayMemberOptions.IncludeType |
            SymbolDisplayMemberOptions.IncludeRef | SymbolDisplayMemberOptions.IncludeParameters | SymbolDisplayMemberOptions.IncludeConstantValue)
        .WithParameterOptions(
            SymbolDisplayParameterOptions.IncludeType | SymbolDisplayParameterOptions.IncludeName | SymbolDisplayParameterOptions.IncludeDefaultValue |
            SymbolDisplayParameterOptions.IncludeModifiers | SymbolDisplayParameterOptions.IncludeExtensionThis)
        .AddMiscellaneousOptions(SymbolDisplayMiscellaneousOptions.AllowDefaultLiteral | SymbolDisplayMiscellaneousOptions.EscapeKeywordIdentifiers);

    private static readonly SymbolDisplayFormat WithAccessors = new(
        Declaration.GlobalNamespaceStyle, Declaration.TypeQualificationStyle, Declaration.GenericsOptions, Declaration.MemberOptions,
        SymbolDisplayDelegateStyle.NameAndSignature, Declaration.ExtensionMethodStyle, Declaration.ParameterOptions,
        SymbolDisplayPropertyStyle.ShowReadWriteDescriptor, Declaration.LocalOptions, SymbolDisplayKindOptions.IncludeMemberKeyword, Declaration.MiscellaneousOptions);

    /// <summary>Lists the assembly that a project of ours was built to.</summary>
    public static string OfAssembly(string name) =>
        Of(Compiler.References.Single(reference => Path.GetFileNameWithoutExtension(reference.FilePath) == name));

    public static string Of(MetadataReference reference)
    {
        var compilation = CSharpCompilation.Create("listing", references: Compiler.References.Append(reference).Distinct());
        var assembly = (IAssemblySymbol)compilation.GetAssemblyOrModuleSymbol(reference)!;
        var lines = TypesIn(assembly.GlobalNamespace)
            .Select(type => (Type: type, Name: FullName(type)))
            .OrderBy(found => found.Name, StringComparer.Ordinal)
            .SelectMany(found => (IEnumerable<string>)["", HeadOf(found.Type, found.Name), .. MembersOf(found.Type).Select(member => "    " + member)]);
        return string.Join('\n', lines.Prepend($"assembly {assembly.Name}")) + "\n";
    }

    private static IEnumerable<INamedTypeSymbol> TypesIn(INamespaceOrTypeSymbol container) =>
        container.GetMembers().SelectMany(member => member switch
        {
            INamespaceSymbol inner => TypesIn(inner),
            INamedTypeSymbol type when IsVisible(type) => TypesIn(type).Prepend(type),
            _ => [],
        });

    private static string FullName(INamedTypeSymbol type) =>
        (type.ContainingNamespace.IsGlobalNamespace ? "" : type.ContainingNamespace.ToDisplayString() + ".") + type.ToDisplayString(TypeName.AddGenericsOptions(SymbolDisplayGenericsOptions.IncludeVariance));

    private static string HeadOf(INamedTypeSymbol type, string name)
    {
        if (type is { TypeKind: TypeKind.Delegate, DelegateInvokeMethod: { } invoke })
        {
            var parameters = string.Join(", ", invoke.Parameters.Select(parameter => parameter.ToDisplayString(Declaration)));
            return $"{Accessibility(type)} delegate {invoke.ReturnType.ToDisplayString(TypeName)} {name}({parameters}){ConstraintsOf(type)}";
        }

        string[] words =
        [
            Accessibility(type),
            type.IsStatic ? "static" : "",
            type is { IsAbstract: true, IsStatic: false, TypeKind: TypeKind.Class } ? "abstract" : "",
            type is { IsSealed: true, IsStatic: false, TypeKind: TypeKind.Class } ? "sealed" : "",
            type is { IsReadOnly: true } ? "readonly" : "",
            type.IsRefLikeType ? "ref" : "",
            IsRecord(type) ? "record" : "",
            type.TypeKind switch { TypeKind.Struct => "struct", TypeKind.Interface => "interface", TypeKind.Enum => "enum", _ => "class" },
            name,
        ];
        var bases = BasesOf(type).ToList();
        return string.Join(' ', words.Where(word => word.Length > 0)) + (bases.Count > 0 ? " : " + string.Join(", ", bases) : "") + ConstraintsOf(type);
    }

    // Metadata does not say it of a struct, but only for a record does the compiler write the operator.
    private static bool IsRecord(INamedTypeSymbol type) => type.IsRecord || type.GetMembers("op_Equality").Any(member => !IsWritten(member));

    private static IEnumerable<string> BasesOf(INamedTypeSymbol type)
    {
        if (type.TypeKind == TypeKind.Enum)
        {
            return type.EnumUnderlyingType is { SpecialType: not SpecialType.System_Int32 } underlying ? [underlying.ToDisplayString(TypeName)] : [];
        }

        var baseClass = type is { TypeKind: TypeKind.Class, BaseType: { SpecialType: SpecialType.None } parent } ? new[] { parent.ToDisplayString(TypeName) } : [];
        return baseClass.Concat(type.Interfaces.Where(IsVisible).Select(role => role.ToDisplayString(TypeName)).Order(StringComparer.Ordinal));
    }

    private static string ConstraintsOf(INamedTypeSymbol type)
    {
        var text = type.ToDisplayString(Declaration);
        var where = text.IndexOf(" where ", StringComparison.Ordinal);
        return where < 0 ? "" : text[where..];
    }

    private static IEnumerable<string> MembersOf(INamedTypeSymbol type) => type.TypeKind == TypeKind.Delegate
        ? []
        : type.GetMembers()
            .Where(member => member is not INamedTypeSymbol && IsVisible(member) && IsWritten(member))
            .OrderBy(Rank)
            .ThenBy(NumberOf)
            .ThenBy(member => member.Name, StringComparer.Ordinal)
            .ThenBy(Line, StringComparer.Ordinal)
            .Select(Line);

    private static string Line(ISymbol member) => member is IFieldSymbol { ContainingType.TypeKind: TypeKind.Enum } value
        ? FormattableString.Invariant($"{value.Name} = {value.ConstantValue}")
        : member.ToDisplayString(WithAccessors)
            .Replace(" private set;", "", StringComparison.Ordinal).Replace(" internal set;", "", StringComparison.Ordinal)
            .Replace(" private init;", "", StringComparison.Ordinal).Replace(" internal init;", "", StringComparison.Ordinal);

    // The values of an enum stand in the order of their numbers, all else by name.
    private static decimal NumberOf(ISymbol member) =>
        member is IFieldSymbol { ContainingType.TypeKind: TypeKind.Enum, ConstantValue: { } value } ? Convert.ToDecimal(value, null) : 0;

    private static int Rank(ISymbol member) => member switch
    {
        IFieldSymbol { IsConst: true } => 0,
        IFieldSymbol => 1,
        IMethodSymbol { MethodKind: MethodKind.Constructor } => 2,
        IPropertySymbol => 3,
        IEventSymbol => 4,
        _ => 5,
    };

    private static bool IsVisible(ISymbol symbol) =>
        symbol.DeclaredAccessibility is Microsoft.CodeAnalysis.Accessibility.Public
            or Microsoft.CodeAnalysis.Accessibility.Protected
            or Microsoft.CodeAnalysis.Accessibility.ProtectedOrInternal
        && (symbol.ContainingType is null || IsVisible(symbol.ContainingType));

    /// <summary>False for what the compiler adds: accessors, the parts of a record, the default constructor of a struct, the field behind an enum.</summary>
    private static bool IsWritten(ISymbol member) => member switch
    {
        { IsImplicitlyDeclared: true } => false,
        IMethodSymbol { AssociatedSymbol: not null } => false,
        IMethodSymbol { MethodKind: MethodKind.StaticConstructor or MethodKind.Destructor } => false,
        IFieldSymbol { Name: "value__" } => false,
        _ => !member.Name.Contains('<', StringComparison.Ordinal) && !member.GetAttributes().Any(attribute => attribute.AttributeClass?.Name == "CompilerGeneratedAttribute"),
    };

    private static string Accessibility(INamedTypeSymbol type) =>
        type.DeclaredAccessibility == Microsoft.CodeAnalysis.Accessibility.Public ? "public" : "protected";
}
