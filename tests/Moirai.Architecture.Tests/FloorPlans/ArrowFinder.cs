using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace Moirai.Architecture.Tests.FloorPlans;

/// <summary>A place in one room that uses a type of another.</summary>
internal sealed record Arrow(string From, string To, string File, int Line, string Type);

/// <summary>Walks a compilation and finds every use of a type from another room, written or implied.</summary>
/// <remarks>
/// Implied means: the type of an expression, the owner of a member, what await, foreach, operators and conversions call.
/// Documentation comments do not count: a reference there pulls nothing in.
/// </remarks>
internal sealed class ArrowFinder
{
    private readonly CSharpCompilation _compilation;
    private readonly Dictionary<INamedTypeSymbol, string> _roomOf = new(SymbolEqualityComparer.Default);
    private readonly List<string> _complaints = [];

    public ArrowFinder(CSharpCompilation compilation)
    {
        _compilation = compilation;
        MapTypesToRooms();
    }

    /// <summary>Types that belong to no single room.</summary>
    public IReadOnlyList<string> Complaints => _complaints;

    public static string RoomOf(string path) => path.IndexOf('/') is var slash and > 0 ? path[..slash] : FloorPlan.Roof;

    public IReadOnlyList<Arrow> Find() =>
        [.. _compilation.SyntaxTrees.Where(IsOurs).AsParallel().AsOrdered().SelectMany(ArrowsIn).AsSequential().Distinct()];

    private static bool IsOurs(SyntaxTree tree) => !tree.FilePath.StartsWith('(');

    private void MapTypesToRooms()
    {
        foreach (var tree in _compilation.SyntaxTrees.Where(IsOurs))
        {
            var model = _compilation.GetSemanticModel(tree);
            foreach (var declaration in tree.GetRoot().DescendantNodes().Where(node => node is BaseTypeDeclarationSyntax or DelegateDeclarationSyntax))
            {
                var type = (INamedTypeSymbol)model.GetDeclaredSymbol(declaration)!;
                var room = RoomOf(tree.FilePath);
                if (!_roomOf.TryAdd(type, room) && _roomOf[type] != room)
                {
                    _complaints.Add($"{type.Name} is spread over {_roomOf[type]} and {room}: a type lives in one room.");
                }
            }
        }
    }

    private IEnumerable<Arrow> ArrowsIn(SyntaxTree tree)
    {
        var model = _compilation.GetSemanticModel(tree);
        var here = RoomOf(tree.FilePath);
        return
            from node in tree.GetRoot().DescendantNodes()
            from type in TypesUsedAt(node, model).SelectMany(Parts)
            where _roomOf.TryGetValue(type, out var room) && room != here
            select new Arrow(here, _roomOf[type], tree.FilePath, node.GetLocation().GetLineSpan().StartLinePosition.Line + 1, type.Name);
    }

    private static IEnumerable<ITypeSymbol?> TypesUsedAt(SyntaxNode node, SemanticModel model)
    {
        switch (node)
        {
            case CommonForEachStatementSyntax loop:
                var enumeration = model.GetForEachStatementInfo(loop);
                return [enumeration.GetEnumeratorMethod?.ContainingType, enumeration.CurrentProperty?.ContainingType, enumeration.ElementType];
            case AwaitExpressionSyntax wait:
                var awaiting = model.GetAwaitExpressionInfo(wait);
                return [awaiting.GetAwaiterMethod?.ContainingType, awaiting.GetAwaiterMethod?.ReturnType, model.GetTypeInfo(wait).Type];
            case ExpressionSyntax expression:
                var info = model.GetTypeInfo(expression);
                return [info.Type, info.ConvertedType, model.GetConversion(expression).MethodSymbol?.ContainingType, .. TypesOf(model.GetSymbolInfo(expression))];
            case ConstructorInitializerSyntax or AttributeSyntax or SelectOrGroupClauseSyntax or OrderingSyntax:
                return TypesOf(model.GetSymbolInfo(node));
            default:
                return [];
        }
    }

    private static IEnumerable<ITypeSymbol?> TypesOf(SymbolInfo info) =>
        (info.Symbol is { } symbol ? [symbol] : info.CandidateSymbols.AsEnumerable()).SelectMany(found => found switch
        {
            ITypeSymbol type => [type],
            IMethodSymbol method => [method.ContainingType, .. method.TypeArguments],
            INamespaceSymbol => [],
            _ => new ITypeSymbol?[] { found.ContainingType },
        });

    /// <summary>The named types that a type is made of: a list of tasks is a list and a task.</summary>
    private static IEnumerable<INamedTypeSymbol> Parts(ITypeSymbol? type) => type switch
    {
        IArrayTypeSymbol array => Parts(array.ElementType),
        IPointerTypeSymbol pointer => Parts(pointer.PointedAtType),
        INamedTypeSymbol named => [named.OriginalDefinition, .. named.TypeArguments.SelectMany(Parts), .. Parts(named.ContainingType)],
        _ => [],
    };
}
